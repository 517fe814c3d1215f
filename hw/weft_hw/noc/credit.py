"""The link between two routers, under credit flow control."""

from amaranth.hdl import Assert, Module, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .packet import Flit

__all__ = ["CreditLink"]


class CreditLink(wiring.Component):
    """Lets a flit go only when the input buffer of the next router has room for it.

    It starts with one credit for each place of that buffer, spends one with each flit, and gets one
    back when the router has moved a flit on. So ``i.ready`` comes from a counter beside the sender,
    and no signal crosses the link and back in one cycle. The credit comes a cycle after the place
    is free: a place is used again after 3 cycles, hence a depth of 4 carries one flit a cycle and a
    depth of 2 two in three cycles.

    Latency: 0 cycles.  Throughput: ``min(1, depth / 3)`` flits a cycle.

    Parameters
    ----------
    flit_bytes : int
    depth : int
        places in the receiving buffer
    packet_flits : int
        flits of the largest packet to tiles, 0 if there are none

    Members
    -------
    i : In(stream of Flit)
        from the output of a router
    o : Out(stream of Flit)
        to the input of the next; always finds it ready
    credit : In(1)
        one place of the receiving buffer has become free
    room : Out(1)
        only with ``packet_flits``: there is room for a packet to tiles behind the flit in ``i``
    """

    def __init__(self, *, flit_bytes, depth, packet_flits=0):
        self.depth = depth
        self.packet_flits = packet_flits
        flits = stream.Signature(Flit(flit_bytes=flit_bytes))
        room = {"room": Out(1)} if packet_flits else {}
        super().__init__({"i": In(flits), "o": Out(flits), "credit": In(1), **room})

    def elaborate(self, platform):
        m = Module()
        credits = Signal(range(self.depth + 1), init=self.depth)
        spend = Signal()

        m.d.comb += [
            self.i.ready.eq(credits != 0),
            self.o.valid.eq(self.i.valid & self.i.ready),
            self.o.payload.eq(self.i.payload),
            spend.eq(self.o.valid),
        ]
        if self.packet_flits:
            m.d.comb += self.room.eq(credits >= self.packet_flits + self.i.valid)
        with m.If(spend & ~self.credit):
            m.d.sync += credits.eq(credits - 1)
        with m.Elif(~spend & self.credit):
            m.d.sync += credits.eq(credits + 1)

        m.d.sync += [
            Assert(ResetSignal() | ~self.o.valid | self.o.ready,
                   "a flit with a credit must find room"),
            Assert(ResetSignal() | ~self.credit | spend | (credits != self.depth),
                   "credits must not exceed the places of the buffer"),
        ]
        return m
