"""One memory for several users: one read and one write a cycle, shared round robin."""

from amaranth.hdl import Array, Module, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..verilog import UNINITIALISED

__all__ = ["READ_LATENCY", "RamPort", "SharedRam", "WriteRow"]

#: Cycles from a read taken to its data.
READ_LATENCY = 3


class WriteRow(data.StructLayout):
    """Bytes for a row; ``strobe`` says which."""

    def __init__(self, *, row_bits, data_bytes):
        super().__init__(
            {
                "row": unsigned(row_bits),
                "data": unsigned(8 * data_bytes),
                "strobe": unsigned(data_bytes),
            }
        )


class RamPort(wiring.Signature):
    """A user of the memory. Read data come in the order of the reads, ``READ_LATENCY`` cycles after
    each; they cannot wait."""

    def __init__(self, *, rows, data_bytes):
        row_bits = ceil_log2(rows)
        super().__init__(
            {
                "read": Out(stream.Signature(unsigned(row_bits))),
                "data": In(stream.Signature(unsigned(8 * data_bytes), always_ready=True)),
                "write": Out(stream.Signature(WriteRow(row_bits=row_bits, data_bytes=data_bytes))),
            }
        )


class SharedRam(wiring.Component):
    """``rows`` of ``data_bytes`` in block RAM for ``ports`` users.

    A read sees all writes that were taken in earlier cycles. Contents are undefined at power-on.

    Latency: a read ``READ_LATENCY`` cycles.  Throughput: one read and one write per cycle, all
    users together.

    Members
    -------
    port : In(RamPort) x ports
    """

    def __init__(self, *, rows, data_bytes, ports):
        self.rows = rows
        self.data_bytes = data_bytes
        super().__init__({"port": In(RamPort(rows=rows, data_bytes=data_bytes)).array(ports)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = memory.Memory(
            shape=unsigned(8 * self.data_bytes), depth=self.rows, init=[], attrs=UNINITIALISED
        )
        write, read = rows.write_port(granularity=8), rows.read_port()
        ports = list(self.port)

        # s0: the request taken; s1: the memory's output; s2: its register
        reads = [port.read for port in ports]
        chosen = _round_robin(m, reads, "read")
        s0_user, s1_user, s2_user = (Signal(len(ports), name=f"s{n}_user") for n in range(3))
        s0_row = Signal.like(read.addr, reset_less=True)
        s2_data = Signal(8 * self.data_bytes, reset_less=True)
        m.d.sync += [
            s0_user.eq(sum((reads[n].valid & (chosen == n)) << n for n in range(len(ports)))),
            s0_row.eq(Array(user.payload for user in reads)[chosen]),
            s1_user.eq(s0_user),
            s2_user.eq(s1_user),
            s2_data.eq(read.data),
        ]
        m.d.comb += read.addr.eq(s0_row)
        for number, port in enumerate(ports):
            m.d.comb += [port.data.payload.eq(s2_data), port.data.valid.eq(s2_user[number])]

        writes = [port.write for port in ports]
        chosen = _round_robin(m, writes, "write")
        row = Signal.like(write.addr, reset_less=True)
        word = Signal(8 * self.data_bytes, reset_less=True)
        strobe = Signal(self.data_bytes)
        selected = Array(user.payload for user in writes)[chosen]
        m.d.sync += [
            row.eq(selected.row),
            word.eq(selected.data),
            strobe.eq(0),
        ]
        for number, user in enumerate(writes):
            with m.If(user.valid & (chosen == number)):
                m.d.sync += strobe.eq(user.payload.strobe)
        m.d.comb += [write.addr.eq(row), write.data.eq(word), write.en.eq(strobe)]
        return m


def _round_robin(m, users, name):
    """Takes one of the streams each cycle, the one served last only if no other wants; returns
    whose turn it is."""
    chosen = Signal(range(max(2, len(users))), name=f"{name}_chosen")
    last = Signal(range(max(2, len(users))), name=f"{name}_last")
    m.d.comb += chosen.eq(last)
    with m.Switch(last):
        for n in range(len(users)):
            with m.Case(n):
                for distance in reversed(range(1, len(users))):
                    other = (n + distance) % len(users)
                    with m.If(users[other].valid):
                        m.d.comb += chosen.eq(other)
    m.d.sync += last.eq(chosen)
    for n, user in enumerate(users):
        m.d.comb += user.ready.eq(chosen == n)
    return chosen
