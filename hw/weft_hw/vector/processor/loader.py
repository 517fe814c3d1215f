"""Reads a microprogram from the scratchpad into the store.

With ``e`` instructions in a scratchpad row: from the cycle t after ``start`` on a row is asked for
every e cycles; its instructions are written from 3 cycles after its grant on, one a cycle; ``busy``
falls in the cycle after the last write.
"""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...memory.port import READ_LATENCY
from ..microcode import INSTRUCTION_BITS

__all__ = ["Loader"]


class Loader(wiring.Component):
    """One program at a time.

    Members
    -------
    start : In(1), row, entry, count_less_one : In
    stop : In(1)
        Ask for nothing more; what has been asked for is still written.
    request : Out(stream.Signature(row)), response : In(row data)
    write, write_entry, write_data : Out
        Of the store.
    busy : Out(1)
    """

    def __init__(self, config):
        self.tile = config.tile
        tile = config.tile
        row, entry = ceil_log2(tile.scratchpad_rows), ceil_log2(tile.microprogram_entries)
        super().__init__({
            "start": In(1), "row": In(row), "entry": In(entry), "count_less_one": In(entry),
            "stop": In(1),
            "request": Out(stream.Signature(unsigned(row))), "response": In(8 * tile.row_bytes),
            "write": Out(1), "write_entry": Out(entry), "write_data": Out(INSTRUCTION_BITS),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        each = 8 * self.tile.row_bytes // INSTRUCTION_BITS
        asking, row, entry = Signal(), Signal.like(self.row), Signal.like(self.entry)
        unasked, left = Signal.like(self.entry), Signal.like(self.entry)    # less one
        pace, held = Signal(range(max(2, each))), Signal()
        valid, granted = Signal(), Signal()
        m.d.comb += [
            valid.eq(held | (asking & (pace == 0) & ~self.stop)),
            granted.eq(valid & self.request.ready),
            self.request.valid.eq(valid), self.request.payload.eq(row),
        ]
        m.d.sync += held.eq(valid & ~granted)
        with m.If(pace != 0):
            m.d.sync += pace.eq(pace - 1)
        with m.If(granted):
            m.d.sync += [row.eq(row + 1), pace.eq(each - 1), unasked.eq(unasked - each)]
            with m.If(unasked < each):
                m.d.sync += asking.eq(0)
        with m.If(self.stop & ~held):
            m.d.sync += asking.eq(0)

        # --- the answer, shifted out
        answers = Signal(READ_LATENCY)
        words, filled = Signal(8 * self.tile.row_bytes, reset_less=True), Signal(range(each + 1))
        m.d.sync += answers.eq((answers << 1) | granted)
        with m.If(filled != 0):
            m.d.sync += [words.eq(words >> INSTRUCTION_BITS), filled.eq(filled - 1),
                         entry.eq(entry + 1), left.eq(left - 1)]
            with m.If(left == 0):
                m.d.sync += filled.eq(0)
        with m.If(answers[-1]):
            m.d.sync += [words.eq(self.response), filled.eq(each)]
        m.d.comb += [
            self.write.eq(filled != 0), self.write_entry.eq(entry), self.write_data.eq(words),
            self.busy.eq(asking | valid | answers.any() | (filled != 0)),
        ]

        with m.If(self.start):
            m.d.sync += [asking.eq(1), row.eq(self.row), entry.eq(self.entry),
                         unasked.eq(self.count_less_one), left.eq(self.count_less_one)]
        return m
