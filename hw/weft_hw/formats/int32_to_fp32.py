"""int32 to float32.

::

    i -> | s1: sign, magnitude | s2: leading one at the top | s3: round, pack | -> o

Latency: 3 cycles in which ``enable`` is high. Throughput: one a cycle.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

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
        s2_sign = Signal(reset_less=True)
        s2_normal = Signal(32, reset_less=True)
        s2_shift = Signal(5, reset_less=True)
        s3_bits = Signal(32, reset_less=True)

        normal, shift = s1_magnitude, []
        for step in (16, 8, 4, 2, 1):
            empty = Signal(name=f"empty_{step}")
            shifted = Signal(32, name=f"shifted_{step}")
            m.d.comb += [
                empty.eq(normal[32 - step:] == 0),
                shifted.eq(Mux(empty, normal << step, normal)[:32]),
            ]
            normal = shifted
            shift.insert(0, empty)

        # the leading one is dropped; a carry out of the fraction steps the exponent, as it should
        increment, exponent, packed = Signal(), Signal(8), Signal(31)
        m.d.comb += [
            increment.eq(s2_normal[7] & (s2_normal[8] | s2_normal[:7].any())),
            exponent.eq(127 + 31 - s2_shift),
            packed.eq((Cat(s2_normal[8:31], exponent) + increment)[:31]),
            self.o.eq(s3_bits),
        ]
        with m.If(self.enable):
            m.d.sync += [
                s1_sign.eq(self.i[31]),
                s1_magnitude.eq(Mux(self.i[31], -self.i, self.i)[:32]),
                s2_sign.eq(s1_sign),
                s2_normal.eq(normal),
                s2_shift.eq(Cat(shift)),
                s3_bits.eq(Mux(s2_normal[31], Cat(packed, s2_sign), 0)),
            ]
        return m
