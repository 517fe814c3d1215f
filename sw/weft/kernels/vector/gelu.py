"""GELU in both its forms, as ``max(x, 0) - |x| q`` with q the weight of ``-|x|``."""

from __future__ import annotations

import numpy as np

from ...microcode import Assembler, Program, Value
from .elementwise import elementwise, horner
from .exponential import exp2_below, exp_below
from .reciprocal import divide_near, reciprocal_near

__all__ = ["gelu", "gelu_tanh", "gelu_tanh_value", "gelu_value"]

_ABSOLUTE = 0x7FFFFFFF
#: The upper half of an fp32 significand.
_HIGH = 0xFFFFF000
_LOG2_E = 1.4426950408889634
#: q carries a factor of 2**64, so that it does not underflow before it is multiplied.
_BIAS = 64
#: Beyond it GELU of a negative number is below 2**-126.
_FAR = 13.3

#: The 64th root of the normal distribution function of -a, 0 <= a <= 13.3: a number between 0.25
#: and 1, whose 64th power has a relative error of 9.9e-4.
ROOT_TAIL = (
    *(0.989213087, -0.0121987289, -0.00503817422, -0.000400386163),
    *(7.73684902e-05, -3.57741753e-06, 5.63305668e-08),
)
_SQUARINGS = 5
#: q / exp(-a**2 / 2) * (1 + a / 4) in t - 0.5625, t = 1 / (1 + a / 4), up to a = 13.4; relative
#: error 7.6e-9. Around the middle of t's range rounding errors add up least.
TAIL = (
    *(0.209425123, 0.356952252, 0.462879064, 0.435501973, 0.256726061, 0.0351870753),
    *(-0.0766613771, -0.041983622, 0.0213698345, 0.0161622059),
)
TAIL_CENTRE = 0.5625
#: (Phi(x) - 1/2) / x in x**2, |x| <= 0.7; Phi's relative error is 4.8e-10.
NEAR = (0.398942277, -0.0664902468, 0.00997215712, -0.00118112115, 0.000103060552)
#: -2 sqrt(2 / pi) and that times 0.044715; what fp32 leaves of the first, 12 bits and the rest of
#: the second.
_LINEAR, _CUBIC = -1.5957691216057308, -0.07135481627260025
_LINEAR_LOW = _LINEAR - float(np.float32(_LINEAR))
_CUBIC_HIGH = round(_CUBIC * 2**15) / 2**15
_CUBIC_LOW = _CUBIC - _CUBIC_HIGH


def _finish(asm: Assembler, x: Value, product: Value) -> Value:
    """``max(x, 0) - |x| q``, product with its factor of 2**64."""
    return asm.maximum(x, 0.0) - product * 2.0**-_BIAS


def gelu_value(asm: Assembler, x: Value, *, fast: bool = False) -> Value:
    """``x Phi(x)``, Phi the normal distribution function: 23 instructions if ``fast``, else 85."""
    a = asm.minimum(asm.bit_and(x, _ABSOLUTE), _FAR)
    if fast:
        root = horner(a, ROOT_TAIL)
        for _ in range(_SQUARINGS):
            root = root * root
        # the square root of q is large enough to be multiplied by itself in the last step only
        return asm.maximum(x, 0.0) - root * (root * a)
    # -a**2 / 2 in two parts, the first exact
    high = asm.bit_and(a, _HIGH)
    rest = (a + high) * (a - high) * -0.5
    # u = a / (1 + a / 4), with what is missing taken from a and not from the rounded denominator
    quarter = a * 0.25
    y = reciprocal_near(asm, quarter + 1.0, fast=True)
    u = a * y
    u = u + (a - u - u * quarter) * y
    weight = horner((1.0 - TAIL_CENTRE) - u * 0.25, TAIL) * u
    product = exp_below(asm, high * high * -0.5, bias=_BIAS, correction=rest, factor=weight)
    far = _finish(asm, x, product)
    near = x * (x * horner(x * x, NEAR) + 0.5)
    return asm.select(asm.less(a, 0.7), near, far)


def gelu_tanh_value(asm: Assembler, x: Value, *, fast: bool = False) -> Value:
    """``x / 2 (1 + tanh(u))`` with ``u = sqrt(2 / pi) (x + 0.044715 x**3)``: q is the sigmoid of
    ``-2 |u|``. 31 instructions if ``fast``, else 73.
    """
    a = asm.minimum(asm.bit_and(x, _ABSOLUTE), 10.6)
    if fast:
        e = exp2_below(asm, (a * a * (_CUBIC * _LOG2_E) + _LINEAR * _LOG2_E) * a, bias=_BIAS)
        below = e * 2.0**-_BIAS + 1.0
        return _finish(asm, x, divide_near(asm, e * a, below, fast=True))
    exponent, correction = _cubic_exponent(asm, a)
    e = exp_below(asm, exponent, bias=_BIAS, correction=correction)
    return _finish(asm, x, divide_near(asm, e * a, e * 2.0**-_BIAS + 1.0))


def _cubic_exponent(asm: Assembler, a: Value) -> tuple[Value, Value]:
    """``-2 sqrt(2 / pi) (a + 0.044715 a**3)`` as a sum of two numbers, the second tiny.

    Products of upper halves of significands are exact; what they leave is small.
    """
    high = asm.bit_and(a, _HIGH)
    low = a - high
    square = high * high
    square_high = asm.bit_and(square, _HIGH)
    slope = square_high * _CUBIC_HIGH
    slope_low = (square - square_high + (a + high) * low) * _CUBIC + square_high * _CUBIC_LOW
    slope_low = slope_low + _LINEAR_LOW
    # what the sum of slope and the linear coefficient rounds off
    total = slope + _LINEAR
    back = total - slope
    slope_low = slope_low + ((slope - (total - back)) + (_LINEAR - back))
    total_high = asm.bit_and(total, _HIGH)
    exponent = total_high * high
    rest = (total - total_high) * high + total * low + slope_low * a
    whole = exponent + rest
    return whole, rest - (whole - exponent)


def gelu(*, fast: bool = False) -> Program:
    """``out = x Phi(x)``, Phi the normal distribution function; of minus infinity, 0.

    87 cycles a vector row (25 ``fast``). Worst error at most 3.2 ULP of fp32; ``fast`` 0.8 ULP of
    bf16.
    """
    return elementwise("gelu", lambda asm, x: gelu_value(asm, x, fast=fast))


def gelu_tanh(*, fast: bool = False) -> Program:
    """``out = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))``; of minus infinity, 0.

    75 cycles a vector row (33 ``fast``). Worst error at most 3.6 ULP of fp32; ``fast`` 0.53 ULP of
    bf16.
    """
    return elementwise("gelu_tanh", lambda asm, x: gelu_tanh_value(asm, x, fast=fast))
