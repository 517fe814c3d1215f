"""From a byte range to beats and lanes: the arithmetic that reads and writes share."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..axi.bursts import PAGE_BYTES, Span
from ..isa import Status
from ..noc.packet import RequestKind
from .access import Access, Requester
from .realign import Realignment

__all__ = ["Plan", "Planner"]


class Plan(data.StructLayout):
    """A request ready to be carried out: its beats, whether they cross a page, and how its bytes
    move."""

    def __init__(self, *, address_bits, data_bytes):
        super().__init__({
            "requester": Requester,
            "status": Status,
            "has_data": unsigned(1),
            "span": Span(address_bits=address_bits, data_bytes=data_bytes),
            "crosses": unsigned(1),
            "how": Realignment(data_bytes=data_bytes),
        })


class Planner(wiring.Component):
    """Computes the plan of each access of one ``kind``.

    Latency: 0 cycles.  Throughput: one access per cycle.

    Members
    -------
    i : In(stream of Access)
    o : Out(stream of Plan)
    """

    def __init__(self, *, kind, address_bits, data_bytes):
        self.kind = kind
        self.data_bytes = data_bytes
        super().__init__({
            "i": In(stream.Signature(Access(address_bits=address_bits))),
            "o": Out(stream.Signature(Plan(address_bits=address_bits, data_bytes=data_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        lane_bits = exact_log2(self.data_bytes)
        page_beats = PAGE_BYTES // self.data_bytes

        access = self.i.payload
        plan = self.o.payload
        ok = access.status == Status.OK
        offset = access.address[:lane_bits]
        # lane of the last byte counted from lane 0 of the data, and counted from the first byte's
        # lane
        last_lane = (access.length - 1)[:lane_bits]
        reach = Signal(lane_bits + 1)
        spills = reach[lane_bits]
        beats = Signal(9)
        m.d.comb += [
            reach.eq(offset + last_lane),
            beats.eq(((access.length - 1)[lane_bits:13] + spills + 1)[:9]),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        in_page = access.address[lane_bits:PAGE_BYTES.bit_length() - 1]
        m.d.comb += [
            plan.requester.eq(access.requester),
            plan.status.eq(access.status),
            plan.has_data.eq(access.has_data),
            plan.span.first.eq(access.address[lane_bits:]),
            plan.span.beats.eq(beats),
            plan.crosses.eq(in_page + beats > page_beats),
            plan.how.drop.eq(~ok),
        ]
        if self.kind is RequestKind.READ:
            m.d.comb += [
                plan.how.shift.eq((-offset)[:lane_bits]),
                plan.how.head.eq(0),
                plan.how.tail.eq(last_lane),
                plan.how.skip.eq(offset.any()),
                plan.how.flush.eq(offset.any() & ~spills),
            ]
        else:
            m.d.comb += [
                plan.how.shift.eq(offset),
                plan.how.head.eq(offset),
                plan.how.tail.eq(reach[:lane_bits]),
                plan.how.skip.eq(0),
                plan.how.flush.eq(spills),
            ]
        return m
