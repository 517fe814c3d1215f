"""A skid register: cuts the combinational way of ``ready`` through a stream, and nothing else."""

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Skid"]


class Skid(wiring.Component):
    """One register, for the item that was accepted though it could not go on at once.

    Latency: 0 cycles.  Throughput: one item per cycle; ``i.ready`` comes from a register, ``o`` is
    combinational from ``i`` (through one multiplexer).

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    """

    def __init__(self, shape):
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        # reset-less: counts only while ``full``
        spare = Signal(Shape.cast(self.shape).width, reset_less=True)
        full = Signal()
        item = self.i.payload
        item = item.as_value() if hasattr(item, "as_value") else item
        m.d.comb += [
            self.i.ready.eq(~full),
            self.o.valid.eq(full | self.i.valid),
            self.o.payload.eq(Mux(full, spare, item)),
        ]
        m.d.sync += full.eq(self.o.valid & ~self.o.ready)
        with m.If(~full):
            m.d.sync += spare.eq(item)
        return m
