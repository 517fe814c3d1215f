"""One memory for several users: one read and one write a cycle, shared round robin."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..noc.turns import first_after
from ..verilog import UNINITIALISED

__all__ = ["READ_LATENCY", "RamPort", "SharedRam", "WriteRow"]

#: Cycles from a read taken to its data.
READ_LATENCY = 4


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

        # s0: whose request was taken, and what each of them has; s1: what was taken; s2: the
        # memory's output; s3: its register
        s0_reader, s1_reader, s2_reader, s3_reader, s0_writer = (
            Signal(len(ports), name=name)
            for name in ("s0_reader", "s1_reader", "s2_reader", "s3_reader", "s0_writer")
        )
        s3_data = Signal(8 * self.data_bytes, reset_less=True)
        row = _taken(m, [port.read.payload for port in ports], s0_reader, "read")
        m.d.sync += [
            s0_reader.eq(_round_robin(m, [port.read for port in ports], "read")),
            s1_reader.eq(s0_reader),
            s2_reader.eq(s1_reader),
            s3_reader.eq(s2_reader),
            s3_data.eq(read.data),
        ]
        m.d.comb += read.addr.eq(row)
        for number, port in enumerate(ports):
            m.d.comb += [port.data.payload.eq(s3_data), port.data.valid.eq(s3_reader[number])]

        layout = ports[0].write.payload.shape()
        m.d.sync += s0_writer.eq(_round_robin(m, [port.write for port in ports], "write"))
        taken = _taken(m, [port.write.payload.as_value() for port in ports], s0_writer, "write")
        taken = data.View(layout, taken)
        m.d.comb += [
            write.addr.eq(taken.row),
            write.data.eq(taken.data),
            write.en.eq(taken.strobe),
        ]
        return m


def _round_robin(m, users, name):
    """Takes one of the streams each cycle, the one served last only if no other wants; returns
    which, one bit for each, none if none wants."""
    chosen = Signal(range(max(2, len(users))), name=f"{name}_chosen")
    last = Signal(range(max(2, len(users))), name=f"{name}_last")
    m.d.comb += chosen.eq(last)
    first_after(m, chosen, last, Cat(user.valid for user in users))
    m.d.sync += last.eq(chosen)
    for n, user in enumerate(users):
        m.d.comb += user.ready.eq(chosen == n)
    return Cat(user.valid & user.ready for user in users)


def _taken(m, requests, taken, name):
    """Register of that of ``requests`` that was taken in the cycle before, zero if none was."""
    held = [Signal.like(each, name=f"s0_{name}_{n}", reset_less=True)
            for n, each in enumerate(requests)]
    m.d.sync += [register.eq(each) for register, each in zip(held, requests, strict=True)]
    chosen = Signal.like(requests[0], name=f"s1_{name}")
    m.d.sync += chosen.eq(reduce(or_, (register & bit.replicate(len(register))
                                       for register, bit in zip(held, taken, strict=True))))
    return chosen
