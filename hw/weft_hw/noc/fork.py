"""Leads the packet at the head of a ``TreeBuffer`` to all outputs it wants."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Fork"]


class Fork(wiring.Component):
    """Decides which outputs the flit shown goes to, and when.

    A packet to one node asks its output and moves flit by flit as that takes them.

    A packet to tiles asks all outputs it wants. An output offers itself when it is the packet's
    turn there and the buffer beyond has room for the whole packet; so no pass, once begun, waits
    for room. As soon as all offer, the packet goes to all of them at once, flit by flit. If some
    have offered and others have not for ``patience`` cycles, the packet goes to those that offer
    and, in a further pass, to the others: no output is kept waiting for another for longer than
    that, and a packet takes at most twice the time of one that had known which outputs would offer.

    Latency: 0 cycles.  Throughput: 1 flit a cycle.

    Parameters
    ----------
    outputs : int
    patience : int
        cycles; the flits of the largest packet to tiles, which a further pass costs

    Members
    -------
    valid, last, tree, wants : In
        the flit shown, see ``TreeFlit``
    ready : Out(1)
        it moves
    keep : Out(1)
        it is needed again
    request : Out(outputs)
        outputs that the flit could go to
    offers : In(outputs)
        of them, those that could take it now
    go : Out(outputs)
        where it goes; part of ``offers``
    """

    def __init__(self, *, outputs, patience):
        self.outputs = outputs
        self.patience = patience
        super().__init__({
            "valid": In(1), "last": In(1), "tree": In(1), "wants": In(outputs),
            "ready": Out(1), "keep": Out(1),
            "request": Out(outputs), "offers": In(outputs), "go": Out(outputs),
        })

    def elaborate(self, platform):
        m = Module()
        served, branches, left = (Signal(self.outputs) for _ in range(3))
        running, final = Signal(), Signal()
        patience = Signal(range(self.patience + 1), init=self.patience)
        starts, is_final = Signal(), Signal()
        missing = left & ~self.offers
        m.d.comb += [
            left.eq(self.wants & ~served),
            self.request.eq(Mux(self.valid, Mux(running, branches, left), 0)),
            starts.eq(self.tree & ~running & self.offers.any()
                      & ((missing == 0) | (patience == 0))),
            is_final.eq(Mux(running, final, missing == 0)),
            self.keep.eq(self.tree & ~is_final),
        ]
        with m.If(~self.tree | starts):
            m.d.comb += self.go.eq(self.offers)
        with m.Elif(running & ((branches & ~self.offers) == 0)):
            m.d.comb += self.go.eq(branches)
        m.d.comb += self.ready.eq(self.go.any())

        with m.If(self.tree & self.ready):
            m.d.sync += [running.eq(~self.last), patience.eq(self.patience)]
            with m.If(starts):
                m.d.sync += [branches.eq(self.offers), final.eq(is_final)]
            with m.If(self.last):
                m.d.sync += served.eq(Mux(is_final, 0, served | self.go))
        with m.Elif(self.tree & ~running & self.offers.any()):
            m.d.sync += patience.eq(patience - 1)
        return m
