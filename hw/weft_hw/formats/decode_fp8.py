"""fp8 to bf16, which holds every fp8 number exactly. Combinational."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .fp8 import Fp8

__all__ = ["DecodeFp8"]

_NAN = 0x7FC0


class DecodeFp8(wiring.Component):
    """The bf16 number equal to an fp8 number. Subnormal fp8 numbers are normal ones of bf16; every
    NaN comes out as ``0x7FC0``.

    Parameters
    ----------
    format : Format
        FP8E4M3 or FP8E5M2

    Members
    -------
    i : In(8)
    o : Out(16)

    Raises
    ------
    ValueError
        if ``format`` is no fp8 format.
    """

    i: In(unsigned(8))
    o: Out(unsigned(16))

    def __init__(self, format):
        self.fp8 = Fp8(format)
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        fp8 = self.fp8
        fraction_bits = fp8.fraction_bits
        fraction, exponent = self.i[:fraction_bits], self.i[fraction_bits:7]
        top = exponent.all()
        if fp8.has_infinity:
            nan, infinite = top & fraction.any(), top & ~fraction.any()
        else:
            nan, infinite = top & fraction.all(), Const(0, 1)

        # a normal number's fraction stays, a subnormal one's highest one becomes the implicit one
        wide_exponent, wide_fraction = Signal(8), Signal(7)
        m.d.comb += [
            wide_exponent.eq(exponent + (127 - fp8.bias)),
            wide_fraction.eq(fraction << (7 - fraction_bits)),
        ]
        with m.If(exponent == 0):
            m.d.comb += [wide_exponent.eq(0), wide_fraction.eq(0)]
            for place in range(fraction_bits):
                with m.If(fraction[place]):
                    m.d.comb += [
                        wide_exponent.eq(127 + 1 - fp8.bias - fraction_bits + place),
                        wide_fraction.eq(fraction[:place] << (7 - place) if place else 0),
                    ]
        with m.If(infinite):
            m.d.comb += [wide_exponent.eq(255), wide_fraction.eq(0)]
        m.d.comb += self.o.eq(Mux(nan, _NAN, Cat(wide_fraction, wide_exponent, self.i[7])))
        return m
