"""The output side of a router: arbitration between inputs and the output register."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .packet import Flit
from .turns import first_after

__all__ = ["OutputPort"]


class OutputPort(wiring.Component):
    """Passes packets of several inputs on, whole and in turn.

    Round-robin between packets: the input served last comes last next time, so a packet waits for
    at most one packet of each other input. A packet once begun keeps the output until its ``last``
    flit.

    Latency: 1 cycle.  Throughput: 1 flit a cycle, also from packet to packet.

    Parameters
    ----------
    flit_bytes : int
    inputs : int

    Members
    -------
    i : In(stream of Flit) x inputs
        ready only where a flit is taken
    o : Out(stream of Flit)
        from registers
    """

    def __init__(self, *, flit_bytes, inputs):
        self.inputs = inputs
        flits = stream.Signature(Flit(flit_bytes=flit_bytes))
        super().__init__({"i": In(flits).array(inputs), "o": Out(flits)})

    def elaborate(self, platform):
        m = Module()
        owner = Signal(range(max(self.inputs, 2)))
        locked = Signal()
        chosen = Signal.like(owner)
        granted = Signal(self.inputs)
        free = Signal()
        valid = Signal(self.inputs)
        m.d.comb += [
            valid.eq(Cat(i.valid for i in self.i)),
            free.eq(~self.o.valid | self.o.ready),
        ]

        # who is next: the owner while its packet lasts, else the first waiting after it
        m.d.comb += chosen.eq(owner)
        with m.If(~locked):
            first_after(m, chosen, owner, valid)
        for k, i in enumerate(self.i):
            m.d.comb += [
                granted[k].eq(valid[k] & (chosen == k)),
                i.ready.eq(granted[k] & free),
            ]

        # decided without ``o.ready``, which comes late; a payload without a grant does not matter
        with m.If(free):
            m.d.sync += self.o.valid.eq(granted.any())
            with m.Switch(chosen):
                for k, i in enumerate(self.i):
                    with m.Case(k):
                        m.d.sync += self.o.payload.eq(i.payload)
                        with m.If(valid[k]):
                            m.d.sync += [owner.eq(k), locked.eq(~i.payload.last)]
        return m
