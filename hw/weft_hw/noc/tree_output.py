"""The output side of a router that replicates: ``OutputPort`` for packets that go to several."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .packet import Flit
from .turns import first_after

__all__ = ["TreeOutput"]


class TreeOutput(wiring.Component):
    """Passes packets of several inputs on, whole and in turn, when their inputs say so.

    Turns are those of ``OutputPort``: round robin between packets, so a packet waits for at most
    one packet of each other input, and a packet once begun keeps the output until its ``last``
    flit. A packet to tiles whose turn it is keeps its turn until there is room for it.

    Latency: 1 cycle.  Throughput: 1 flit a cycle, also from packet to packet.

    Parameters
    ----------
    flit_bytes : int
    inputs : int

    Members
    -------
    i : In(Flit) x inputs
    request, tree : In(inputs)
        the flit of an input could come here; it is of a packet to tiles
    offers : Out(inputs)
        a flit of that input could be taken now
    go : In(inputs)
        it is; part of ``offers``
    room : In(1)
        the buffer beyond has room for a packet to tiles
    o : Out(stream of Flit)
        from registers
    """

    def __init__(self, *, flit_bytes, inputs):
        self.inputs = inputs
        flit = Flit(flit_bytes=flit_bytes)
        super().__init__({
            "i": In(data.ArrayLayout(flit, inputs)),
            "request": In(inputs), "tree": In(inputs), "offers": Out(inputs), "go": In(inputs),
            "room": In(1),
            "o": Out(stream.Signature(flit)),
        })

    def elaborate(self, platform):
        m = Module()
        owner = Signal(range(max(self.inputs, 2)))
        locked = Signal()
        chosen = Signal.like(owner)
        free = Signal()

        # who is next: the owner while its packet lasts, else the first waiting after it
        m.d.comb += chosen.eq(owner)
        with m.If(~locked):
            first_after(m, chosen, owner, self.request)
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            self.offers.eq(Cat(
                self.request[k] & (chosen == k) & free & (~self.tree[k] | locked | self.room)
                for k in range(self.inputs))),
        ]

        with m.If(self.go.any()):
            m.d.sync += [
                owner.eq(chosen),
                locked.eq(~Cat(flit.last for flit in self.i).bit_select(chosen, 1)),
                self.o.valid.eq(1),
            ]
            with m.Switch(chosen):
                for k, flit in enumerate(self.i):
                    with m.Case(k):
                        m.d.sync += self.o.payload.eq(flit)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
