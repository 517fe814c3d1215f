"""float32 multiplication.

::

    a, b -> | s1: 24 x 24 product | s2: product, for retiming | s3: normalise, round, pack | -> o

The second register holds the product unchanged, so that a synthesiser may move it into the
multiplier. Registers in front of the operands are the user's.

Latency: 3 cycles in which ``enable`` is high. Throughput: one a cycle.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Fp32Multiply"]

_NAN = 0x7FC00000


class Fp32Multiply(wiring.Component):
    """``a * b`` in IEEE 754 binary32, round to nearest, ties to even, with subnormals flushed.

    A subnormal operand counts as zero of its sign. A product that, rounded to 24 bits with an
    unbounded exponent, is below ``2**-126`` becomes zero of its sign. Every NaN comes out as
    ``0x7FC00000``; zero times infinity is NaN.

    Members
    -------
    enable : In(1)
        The pipeline moves.
    a, b : In(32)
    o : Out(32)
    """

    LATENCY = 3

    enable: In(1)
    a: In(unsigned(32))
    b: In(unsigned(32))
    o: Out(unsigned(32))

    def elaborate(self, platform):
        m = Module()

        significands, zeros, infinities, nans = [], [], [], []
        for name, value in (("a", self.a), ("b", self.b)):
            zero = Signal(name=f"{name}_zero")
            top = Signal(name=f"{name}_top")
            fraction = Signal(name=f"{name}_fraction")
            m.d.comb += [
                zero.eq(value[23:31] == 0),
                top.eq(value[23:31] == 255),
                fraction.eq(value[:23] != 0),
            ]
            significands.append(Cat(value[:23], Const(1, 1)))
            zeros.append(zero)
            infinities.append(top & ~fraction)
            nans.append(top & fraction)
        invalid = (zeros[0] & infinities[1]) | (zeros[1] & infinities[0])

        # reset-less: a data path, whose user knows when it holds something
        stages = []
        for stage in ("s1", "s2"):
            stages.append({
                "product": Signal(48, reset_less=True, name=f"{stage}_product"),
                "exponent": Signal(signed(10), reset_less=True, name=f"{stage}_exponent"),
                "sign": Signal(reset_less=True, name=f"{stage}_sign"),
                "zero": Signal(reset_less=True, name=f"{stage}_zero"),
                "infinity": Signal(reset_less=True, name=f"{stage}_infinity"),
                "nan": Signal(reset_less=True, name=f"{stage}_nan"),
            })
        s1, s2 = stages
        s3_bits = Signal(32, reset_less=True)

        # the product of two numbers in [1, 2) is in [1, 4)
        upper = s2["product"][47]
        significand, half, rest, rounded = Signal(24), Signal(), Signal(), Signal(25)
        exponent, overflow, underflow = Signal(signed(10)), Signal(), Signal()
        m.d.comb += [
            significand.eq(Mux(upper, s2["product"][24:], s2["product"][23:47])),
            half.eq(Mux(upper, s2["product"][23], s2["product"][22])),
            rest.eq((s2["product"][:22] != 0) | (upper & s2["product"][22])),
            rounded.eq(significand + (half & (rest | significand[0]))),
            exponent.eq((s2["exponent"] + upper + rounded[24])[:10]),
            overflow.eq(s2["infinity"] | (exponent >= 255)),
            underflow.eq(s2["zero"] | (exponent <= 0)),
            self.o.eq(s3_bits),
        ]
        # zero wins over overflow: then the exponent means nothing
        magnitude = Mux(underflow & ~s2["infinity"], 0,
                        Mux(overflow, 255 << 23, Cat(rounded[:23], exponent[:8])))
        with m.If(self.enable):
            m.d.sync += [
                s1["product"].eq(significands[0] * significands[1]),
                s1["exponent"].eq((self.a[23:31] + self.b[23:31] - 127)[:10].as_signed()),
                s1["sign"].eq(self.a[31] ^ self.b[31]),
                s1["zero"].eq(zeros[0] | zeros[1]),
                s1["infinity"].eq(infinities[0] | infinities[1]),
                s1["nan"].eq(nans[0] | nans[1] | invalid),
                *(s2[name].eq(s1[name]) for name in s1),
                s3_bits.eq(Mux(s2["nan"], _NAN, Cat(magnitude[:31], s2["sign"]))),
            ]
        return m
