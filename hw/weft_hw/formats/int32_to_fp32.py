"""int32 to float32.

::

    i -> | s1: sign, magnitude, its size | s2: leading one at the top | s3: round, pack | -> o

The size is that of the bits before 1 is added to negate them, so that nothing waits for the sum,
which may be a bit longer (-8 is 0b0111 + 1): s2 shifts by it or, where it can, by one more.

Latency: 3 cycles in which ``enable`` is high. Throughput: one a cycle.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .leading_zeros import leading_zeros

__all__ = ["Int32ToFp32"]


class Int32ToFp32(wiring.Component):
    """The nearest float32, ties to even. Every int32 has one; zero is positive.

    Members
    -------
    enable : In(1)
        The pipeline moves.
    i : In(signed(32))
    o : Out(32)
    """

    LATENCY = 3

    enable: In(1)
    i: In(signed(32))
    o: Out(unsigned(32))

    def elaborate(self, platform):
        m = Module()
        # reset-less: a data path, whose user knows when it holds something
        s1_sign = Signal(reset_less=True)
        s1_magnitude = Signal(32, reset_less=True)
        s1_shift = Signal(5, reset_less=True)   # brings the leading one to the top, or one below
        s2_sign = Signal(reset_less=True)
        s2_normal = Signal(32, reset_less=True)
        s2_exponent = Signal(8, reset_less=True)
        s3_bits = Signal(32, reset_less=True)

        # two bits of the shift at a time
        shifted = s1_magnitude
        for low in (4, 2, 0):
            steps = [shifted << (k << low) for k in range(2 if low == 4 else 4)]
            shifted = Signal(32, name=f"shifted_{low}")
            m.d.comb += shifted.eq(Array(steps)[s1_shift[low:low + 2]][:32])
        below = ~shifted[31]

        # the leading one is dropped; a carry out of the fraction steps the exponent, as it should
        increment, packed = Signal(), Signal(31)
        m.d.comb += [
            increment.eq(s2_normal[7] & (s2_normal[8] | s2_normal[:7].any())),
            packed.eq((Cat(s2_normal[8:31], s2_exponent) + increment)[:31]),
            self.o.eq(s3_bits),
        ]
        with m.If(self.enable):
            m.d.sync += [
                s1_sign.eq(self.i[31]),
                s1_magnitude.eq(Mux(self.i[31], -self.i, self.i)[:32]),
                s1_shift.eq(leading_zeros((self.i ^ self.i[31].replicate(32))[:31])),
                s2_sign.eq(s1_sign),
                s2_normal.eq(Mux(below, shifted << 1, shifted)[:32]),
                s2_exponent.eq(Mux(below, 127 + 30 - s1_shift, 127 + 31 - s1_shift)[:8]),
                s3_bits.eq(Mux(s2_normal[31], Cat(packed, s2_sign), 0)),
            ]
        return m
