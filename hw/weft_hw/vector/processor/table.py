"""Looks up C values in the microprogram store, one a cycle.

Latency: indices in cycle t, ``ready`` from t + C + 2 on.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["TableReader"]


class TableReader(wiring.Component):
    """One row at a time.

    Members
    -------
    valid : In(1), indices : In(32 * C)
    base : In
        Entry of index 0; entries are taken modulo the store's size.
    read : Out(1), entry : Out, data : In(32)
        Of the store; data comes a cycle later.
    busy : Out(1), clear : In(1)
        Reading; forget what has been read.
    ready : Out(1), taken : In(1)
        ``elements`` are complete, and will be used: they stay until the next indices.
    elements : Out(32 * C)
    """

    def __init__(self, config):
        tile = config.tile
        self.lanes = tile.array_cols
        entry = ceil_log2(tile.microprogram_entries)
        super().__init__({
            "valid": In(1), "indices": In(32 * self.lanes), "base": In(entry),
            "read": Out(1), "entry": Out(entry), "data": In(32),
            "busy": Out(1), "clear": In(1),
            "ready": Out(1), "taken": In(1), "elements": Out(32 * self.lanes),
        })

    def elaborate(self, platform):
        m = Module()
        lanes, bits = self.lanes, len(self.entry)
        indices = Signal(bits * lanes, reset_less=True)
        elements = Signal(32 * lanes, reset_less=True)
        left, reads, answers, ready = Signal(range(lanes + 1)), Signal(), Signal(), Signal()
        m.d.comb += [
            reads.eq(left != 0),
            self.read.eq(reads), self.entry.eq(self.base + indices[:bits]),
            self.busy.eq(reads | answers), self.ready.eq(ready), self.elements.eq(elements),
        ]
        m.d.sync += answers.eq(reads)
        with m.If(reads):
            m.d.sync += [indices.eq(indices >> bits), left.eq(left - 1)]
        with m.If(answers):
            m.d.sync += elements.eq(Cat(elements[32:], self.data))
            with m.If(~reads):
                m.d.sync += ready.eq(1)
        with m.If(self.taken | self.clear):
            m.d.sync += ready.eq(0)
        with m.If(self.valid):
            m.d.sync += [
                indices.eq(Cat(self.indices.word_select(lane, 32)[:bits] for lane in range(lanes))),
                left.eq(lanes),
            ]
        return m
