"""float32 to a signed integer of any width.

::

    i -> | s1: align to the point | s2: round, saturate, sign | -> o

Latency: 2 cycles in which ``enable`` is high. Throughput: one a cycle.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Fp32ToInt"]


class Fp32ToInt(wiring.Component):
    """The nearest integer, ties to even, saturated to ``bits``. Infinities saturate by their sign;
    NaN gives zero.

    Parameters
    ----------
    bits : int
        2 to 32

    Members
    -------
    enable : In(1)
        The pipeline moves.
    i : In(32)
    o : Out(signed(bits))

    Raises
    ------
    ValueError
        if ``bits`` is out of range.
    """

    LATENCY = 2

    def __init__(self, bits):
        if not 2 <= bits <= 32:
            raise ValueError(f"bits must be between 2 and 32, not {bits}")
        self.bits = bits
        super().__init__({"enable": In(1), "i": In(unsigned(32)), "o": Out(signed(bits))})

    def elaborate(self, platform):
        m = Module()
        whole = self.bits - 1                   # bits before the point, without the sign
        width = max(24, whole)                  # of the significand once the largest value fits
        exponent = self.i[23:31]

        # the largest exponent below saturation, 127 + whole - 1, needs no shift; a number whose
        # exponent is below 126 is less than a half
        saturate, shift, shifted = Signal(), Signal(range(whole + 1)), Signal(width + whole)
        aligned = Cat(Const(0, whole), Const(0, width - 24), self.i[:23], Const(1, 1))
        m.d.comb += [
            saturate.eq(exponent >= 127 + whole),
            shift.eq((127 + whole - 1 - exponent)[:len(shift)]),
            shifted.eq(aligned >> shift),
        ]

        # reset-less: a data path, whose user knows when it holds something
        s1_integer = Signal(whole, reset_less=True)
        s1_half = Signal(reset_less=True)
        s1_rest = Signal(reset_less=True)
        s1_saturate = Signal(reset_less=True)
        s1_sign = Signal(reset_less=True)
        s2_value = Signal(signed(self.bits), reset_less=True)

        rounded, magnitude = Signal(self.bits), Signal(self.bits)
        m.d.comb += [
            rounded.eq(s1_integer + (s1_half & (s1_rest | s1_integer[0]))),
            # 2**whole is a value only with the sign
            magnitude.eq(Mux(s1_saturate | rounded[whole], (1 << whole) - 1 + s1_sign, rounded)),
            self.o.eq(s2_value),
        ]
        nan = (exponent == 255) & (self.i[:23] != 0)
        small = exponent < 126
        fraction = len(shifted) - whole
        with m.If(self.enable):
            m.d.sync += [
                s1_integer.eq(Mux(nan | small, 0, shifted[fraction:])),
                s1_half.eq(shifted[fraction - 1] & ~nan & ~small),
                s1_rest.eq(shifted[:fraction - 1] != 0),
                s1_saturate.eq(saturate & ~nan),
                s1_sign.eq(self.i[31]),
                s2_value.eq(Mux(s1_sign, -magnitude, magnitude)[:self.bits].as_signed()),
            ]
        return m
