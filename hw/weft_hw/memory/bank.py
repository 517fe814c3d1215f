"""One bank of local memory: one read and one write a cycle.

Contents are undefined at power-on, as in an SRAM macro. Banks of equal size are shared.
"""

from amaranth.hdl import Module, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..verilog import UNINITIALISED

__all__ = ["MemoryBank"]


class MemoryBank(wiring.Component):
    """``rows`` x ``row_bits``, one synchronous read port, one write port with an enable for each of
    ``parts`` equal parts of a row.

    Latency: read 1 cycle. What a read gives of the parts that are written in its cycle is not
    defined (in simulation the old row), as in an SRAM macro: commands that touch the same rows are
    ordered by semaphores, the stages of an engine by their distance. A block RAM then needs no
    comparison of addresses, and no choice behind its output.
    """

    def __init__(self, *, rows, row_bits, parts=1):
        self.rows = rows
        self.row_bits = row_bits
        self.parts = parts
        self.shared_name = f"weft_bank_{rows}x{row_bits}" + (f"_{parts}" if parts > 1 else "")
        super().__init__({
            "read_enable": In(1), "read_row": In(ceil_log2(rows)), "read_data": Out(row_bits),
            "write_enable": In(parts), "write_row": In(ceil_log2(rows)), "write_data": In(row_bits),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = array = memory.Memory(
            shape=unsigned(self.row_bits), depth=self.rows, init=[],
            attrs=UNINITIALISED | {"no_rw_check": 1})
        write = array.write_port(granularity=self.row_bits // self.parts)
        read = array.read_port()
        m.d.comb += [
            read.en.eq(self.read_enable), read.addr.eq(self.read_row), self.read_data.eq(read.data),
            write.en.eq(self.write_enable), write.addr.eq(self.write_row),
            write.data.eq(self.write_data),
        ]
        return m
