"""From a byte range to beats and lanes: the arithmetic that reads and writes share."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..axi.bursts import PAGE_BYTES, Span
from .realign import Realignment

__all__ = ["Planner"]


class Planner(wiring.Component):
    """Computes how an access of 1 byte to 4 KiB is carried out. Combinational; of another length it
    gives anything.

    Members
    -------
    first, last : In(address_bits + 1)
        addresses of its first and its last byte
    reads : In(1)
        else it writes
    span : Out(Span)
    how : Out(Realignment)
        without ``drop``
    """

    def __init__(self, *, address_bits, data_bytes):
        self.address_bits = address_bits
        self.data_bytes = data_bytes
        super().__init__({
            "first": In(address_bits + 1),
            "last": In(address_bits + 1),
            "reads": In(1),
            "span": Out(Span(address_bits=address_bits, data_bytes=data_bytes)),
            "how": Out(Realignment(data_bytes=data_bytes)),
        })

    def elaborate(self, platform):
        m = Module()
        lane_bits = exact_log2(self.data_bytes)
        page_bits = exact_log2(PAGE_BYTES)
        first, last, reads = self.first, self.last, self.reads
        offset, last_lane = first[:lane_bits], last[:lane_bits]
        # the last byte's lane is below the first's: a beat more than the data need by themselves
        spills = Signal()
        m.d.comb += [
            spills.eq(last_lane < offset),
            self.span.first.eq(first[lane_bits:self.address_bits]),
            self.span.more.eq((last[lane_bits:] - first[lane_bits:])[:8]),
            self.span.end.eq(last[lane_bits:page_bits]),
            self.span.crosses.eq(last[page_bits] ^ first[page_bits]),
            self.how.shift.eq(Mux(reads, -offset, offset)[:lane_bits]),
            self.how.head.eq(Mux(reads, 0, offset)),
            self.how.tail.eq(Mux(reads, last_lane - offset, last_lane)[:lane_bits]),
            self.how.skip.eq(reads & offset.any()),
            self.how.flush.eq(Mux(reads, offset.any() & ~spills, spills)),
        ]
        return m
