"""float32 to bf16. Combinational."""

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["EncodeBf16"]

_NAN = 0x7FC0
_LARGEST = 0x7F7F


class EncodeBf16(wiring.Component):
    """The nearest bf16 number, ties to even. Subnormal operands give zero of their sign, every NaN
    ``0x7FC0``. What rounds beyond the largest number becomes infinity of its sign; with
    ``saturate`` it becomes the largest number of its sign, as infinity does.

    Members
    -------
    i : In(32)
    saturate : In(1)
    o : Out(16)
    """

    i: In(unsigned(32))
    saturate: In(1)
    o: Out(unsigned(16))

    def elaborate(self, platform):
        m = Module()
        sign, exponent = self.i[31], self.i[23:31]
        rounded = Signal(15)
        # a carry out of the fraction is one in the exponent, up to infinity
        m.d.comb += rounded.eq(self.i[16:31]
                               + (self.i[15] & (self.i[16] | self.i[:15].any())))
        with m.If(exponent.all() & self.i[:23].any()):
            m.d.comb += self.o.eq(_NAN)
        with m.Elif(exponent == 0):
            m.d.comb += self.o.eq(Cat(Const(0, 15), sign))
        with m.Elif(self.saturate & rounded[7:].all()):
            m.d.comb += self.o.eq(Cat(Const(_LARGEST, 15), sign))
        with m.Else():
            m.d.comb += self.o.eq(Cat(rounded, sign))
        return m
