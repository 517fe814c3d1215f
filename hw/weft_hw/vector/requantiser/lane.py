"""One lane of the vector engine: an accumulator to int8, or to int32 plus bias.

::

    accumulator + bias -> | sum | -> Int32ToFp32 -> x scale -> Fp32ToInt
    cycle 0                 1          2 to 4       5 to 7      8 to 9
                           + zero point + residual -> | total | -> clamp -> | result |
                                                         10                    11

The conversion saturates to 10 bits: a value outside -512..511 stays outside int8 whatever zero
point and residual add.

Latency: ``accumulator`` to ``sum`` 1 cycle, to ``result`` ``LATENCY`` = 11. Throughput: one a
cycle.
"""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...formats.fp32_multiply import Fp32Multiply
from ...formats.fp32_to_int import Fp32ToInt
from ...formats.int32_to_fp32 import Int32ToFp32

__all__ = ["VectorLane"]

_QUOTIENT_BITS = 10


class VectorLane(wiring.Component):
    """``sum = accumulator + bias`` (wraps); ``result`` is ``sum`` requantised, as the golden of
    that name says.

    Members
    -------
    take : In(1)
        ``sum`` is updated. Without it the sum stays, so that it can be written out in parts.
    keep_sum : In(1)
        With ``take``: the lane holds a column; without it the sum is zero.
    enable : In(1)
        The stages after the sum move.
    accumulator, bias : In(signed(32))
        With ``take``.
    scale : In(32)
        float32, ``SCALE_AT`` = 4 cycles after the accumulator.
    zero_point, residual : In(signed(8))
        ``FINISH_AT`` = 9 cycles after it.
    clamp_min, clamp_max : In(signed(8)), keep : In(1)
        One cycle later. Without ``keep`` the result is zero.
    sum : Out(signed(32)), result : Out(signed(8))
    """

    shared_name = "vector_lane"

    SCALE_AT = 1 + Int32ToFp32.LATENCY
    FINISH_AT = SCALE_AT + Fp32Multiply.LATENCY + Fp32ToInt.LATENCY
    LATENCY = FINISH_AT + 2

    take: In(1)
    keep_sum: In(1)
    enable: In(1)
    accumulator: In(signed(32))
    bias: In(signed(32))
    scale: In(unsigned(32))
    zero_point: In(signed(8))
    residual: In(signed(8))
    clamp_min: In(signed(8))
    clamp_max: In(signed(8))
    keep: In(1)
    sum: Out(signed(32))
    result: Out(signed(8))

    def elaborate(self, platform):
        m = Module()
        m.submodules.convert = convert = Int32ToFp32()
        m.submodules.multiply = multiply = Fp32Multiply()
        m.submodules.quotient = quotient = Fp32ToInt(_QUOTIENT_BITS)

        # reset-less: a data path, whose user knows when it holds something
        s1_sum = Signal(signed(32), reset_less=True)
        s10_total = Signal(signed(_QUOTIENT_BITS + 2), reset_less=True)
        s11_result = Signal(signed(8), reset_less=True)

        clamped = Signal(signed(8))
        m.d.comb += [
            *(piece.enable.eq(self.enable) for piece in (convert, multiply, quotient)),
            convert.i.eq(s1_sum),
            multiply.a.eq(convert.o),
            multiply.b.eq(self.scale),
            quotient.i.eq(multiply.o),
            # the upper bound wins also where the bounds cross; what is between them fits in int8
            clamped.eq(Mux((s10_total > self.clamp_max) | (self.clamp_min > self.clamp_max),
                           self.clamp_max,
                           Mux(s10_total < self.clamp_min, self.clamp_min, s10_total))[:8]
                       .as_signed()),
            self.sum.eq(s1_sum),
            self.result.eq(s11_result),
        ]
        with m.If(self.take):
            total = (self.accumulator + self.bias)[:32]
            m.d.sync += s1_sum.eq(Mux(self.keep_sum, total, 0).as_signed())
        with m.If(self.enable):
            m.d.sync += [
                s10_total.eq(quotient.o + self.zero_point + self.residual),
                s11_result.eq(Mux(self.keep, clamped, 0).as_signed()),
            ]
        return m
