"""float32 to fp8. Combinational."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .fp8 import Fp8

__all__ = ["EncodeFp8"]


class EncodeFp8(wiring.Component):
    """The nearest fp8 number, ties to even; subnormal results are kept, subnormal operands are far
    below them and give zero. Zero keeps its sign; NaN becomes the positive NaN whose fraction is
    ``Fp8.nan``.

    What rounds beyond the largest number becomes infinity of its sign or, in E4M3, which has none,
    NaN; with ``saturate`` it becomes the largest number of its sign, as infinity does.

    Parameters
    ----------
    format : Format
        FP8E4M3 or FP8E5M2

    Members
    -------
    i : In(32)
    saturate : In(1)
    o : Out(8)

    Raises
    ------
    ValueError
        if ``format`` is no fp8 format.
    """

    i: In(unsigned(32))
    saturate: In(1)
    o: Out(unsigned(8))

    def __init__(self, format):
        self.fp8 = Fp8(format)
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        fp8 = self.fp8
        bits = fp8.fraction_bits
        fraction, wide_exponent, sign = self.i[:23], self.i[23:31], self.i[31]
        top = wide_exponent.all()

        # significand with the bit that rounds and one for all below it, moved right where the
        # result is subnormal; beyond bits + 2 places all is below
        exponent, shift = Signal(signed(10)), Signal(range(bits + 3))
        significand = Cat(fraction[:23 - bits - 1].any(), fraction[23 - bits - 1:], Const(1, 1))
        low = bits + 2
        shifted, kept = Signal(len(significand) + low), Signal(bits)
        half, rest, rounded = Signal(), Signal(), Signal(8)
        subnormal, beyond = Signal(), Signal()
        m.d.comb += [
            exponent.eq(wide_exponent - (127 - fp8.bias)),
            subnormal.eq(exponent < 1),
            shift.eq(Mux(exponent < -bits, bits + 2, (1 - exponent)[:len(shift)])),
            shifted.eq(Cat(Const(0, low), significand) >> Mux(subnormal, shift, 0)),
            kept.eq(shifted[low + 2:low + 2 + bits]),
            half.eq(shifted[low + 1]), rest.eq(shifted[:low + 1].any()),
            # a carry out of the fraction is one in the exponent
            rounded.eq(Cat(kept, Mux(subnormal, 0, exponent[:7 - bits]))
                       + (half & (rest | kept[0]))),
            beyond.eq(top | (exponent >= 1 << (7 - bits)) | (rounded > fp8.largest)),
        ]
        if fp8.has_infinity:
            overflow = Cat(Const(fp8.largest + 1, 7), sign)
        else:
            overflow = Const(fp8.nan, 8)
        with m.If(top & fraction.any()):
            m.d.comb += self.o.eq(fp8.nan)
        with m.Elif(wide_exponent == 0):
            m.d.comb += self.o.eq(Cat(Const(0, 7), sign))
        with m.Elif(beyond):
            m.d.comb += self.o.eq(Mux(self.saturate, Cat(Const(fp8.largest, 7), sign), overflow))
        with m.Else():
            m.d.comb += self.o.eq(Cat(rounded[:7], sign))
        return m
