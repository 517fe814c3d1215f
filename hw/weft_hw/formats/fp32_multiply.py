"""float32 multiplication.

::

    a, b -> | s1: 24 x 24 product | s2: normalise, whether to round up | s3: round, pack | -> o

Registers in front of the operands are the user's.

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
        kinds = ("sign", "zero", "infinity", "nan")
        s1 = {name: Signal(reset_less=True, name=f"s1_{name}") for name in kinds}
        s2 = {name: Signal(reset_less=True, name=f"s2_{name}") for name in kinds}
        s1_product = Signal(48, reset_less=True)
        s1_exponent = Signal(signed(10), reset_less=True)
        s2_significand = Signal(24, reset_less=True)
        s2_exponent = Signal(signed(10), reset_less=True)
        s2_up = Signal(reset_less=True)     # round up
        s3_bits = Signal(32, reset_less=True)

        # the product of two numbers in [1, 2) is in [1, 4)
        upper = s1_product[47]
        significand, half, rest = Signal(24), Signal(), Signal()
        m.d.comb += [
            significand.eq(Mux(upper, s1_product[24:], s1_product[23:47])),
            half.eq(Mux(upper, s1_product[23], s1_product[22])),
            rest.eq((s1_product[:22] != 0) | (upper & s1_product[22])),
        ]

        # whether the sum carries is known last: what depends on it is worked out for both cases
        rounded, exponent = Signal(25), Signal(8)
        carry, overflow, underflow = Signal(), Signal(), Signal()
        m.d.comb += [
            rounded.eq(s2_significand + s2_up),
            carry.eq(rounded[24]),
            exponent.eq(Mux(carry, (s2_exponent + 1)[:8], s2_exponent[:8])),
            overflow.eq(s2["infinity"] | Mux(carry, s2_exponent >= 254, s2_exponent >= 255)),
            underflow.eq(s2["zero"] | Mux(carry, s2_exponent < 0, s2_exponent <= 0)),
            self.o.eq(s3_bits),
        ]
        # zero wins over overflow: then the exponent means nothing
        magnitude = Mux(underflow & ~s2["infinity"], 0,
                        Mux(overflow, 255 << 23, Cat(rounded[:23], exponent)))
        with m.If(self.enable):
            m.d.sync += [
                s1_product.eq(significands[0] * significands[1]),
                s1_exponent.eq((self.a[23:31] + self.b[23:31] - 127)[:10].as_signed()),
                s1["sign"].eq(self.a[31] ^ self.b[31]),
                s1["zero"].eq(zeros[0] | zeros[1]),
                s1["infinity"].eq(infinities[0] | infinities[1]),
                s1["nan"].eq(nans[0] | nans[1] | invalid),
                *(s2[name].eq(s1[name]) for name in kinds),
                s2_significand.eq(significand),
                s2_exponent.eq((s1_exponent + upper)[:10].as_signed()),
                s2_up.eq(half & (rest | significand[0])),
                s3_bits.eq(Mux(s2["nan"], _NAN, Cat(magnitude[:31], s2["sign"]))),
            ]
        return m
