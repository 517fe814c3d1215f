"""A register slice: cuts every combinational way through a stream, forwards and backwards."""

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Slice"]


class Slice(wiring.Component):
    """Two registers: one at the output, one for the item that comes while that one waits.

    Latency: 1 cycle.  Throughput: one item per cycle; ``i.ready``, ``o.valid`` and ``o.payload``
    come from registers.

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
        bits = Shape.cast(self.shape).width
        # reset-less: the valid bits say when they hold something
        front, spare = Signal(bits, reset_less=True), Signal(bits, reset_less=True)
        full = Signal()
        item = self.i.payload
        item = item.as_value() if hasattr(item, "as_value") else item
        m.d.comb += [self.i.ready.eq(~full), self.o.payload.eq(front)]
        with m.If(~full):
            m.d.sync += spare.eq(item)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.o.valid.eq(full | self.i.valid), front.eq(Mux(full, spare, item)), full.eq(0),
            ]
        with m.Elif(self.i.valid):
            m.d.sync += full.eq(1)
        return m
