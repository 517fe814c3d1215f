"""GELU in both its forms, as ``max(x, 0) - |x| q`` with q the weight of ``-|x|``."""

from __future__ import annotations

from ...microcode import Assembler, Program, Value
from .elementwise import elementwise, horner
from .exponential import exp2_below, exp_below
from .reciprocal import reciprocal_near

__all__ = ["gelu", "gelu_tanh", "gelu_tanh_value", "gelu_value"]

_ABSOLUTE = 0x7FFFFFFF
#: The upper half of an fp32 significand.
_HIGH = 0xFFFFF000
_LOG2_E = 1.4426950408889634
#: q carries a factor of 2**64, so that it does not underflow before it is multiplied.
_BIAS = 64
#: Beyond it GELU of a negative number is below 2**-126.
_FAR = 13.4

#: log2 of the normal distribution function of -a, 0 <= a <= 13.4; q's relative error 5.8e-4.
LOG2_TAIL = (
    *(-1.00083705, -1.1424385, -0.473651452, -0.0440374286),
    *(0.00536543582, -0.000407257402, 1.7137099e-05, -3.03427609e-07),
)
#: q / exp(-a**2 / 2) in t = 1 / (1 + 0.3 a), 0 <= a <= 13.4, relative error 2.7e-9.
TAIL_SLOPE = 0.3
TAIL = (
    *(1.34160383e-06, 0.11965616, 0.119872681, 0.108543489, 0.0844089974, 0.0819792006),
    *(-0.0569942504, 0.168205541, -0.212418521, 0.106335432, -0.0195900722),
)
_SQRT_2_OVER_PI = 0.7978845608028654
_CUBIC = 0.044715


def _finish(asm: Assembler, x: Value, magnitude: Value, q: Value) -> Value:
    return asm.maximum(x, 0.0) - q * magnitude * 2.0**-_BIAS


def gelu_value(asm: Assembler, x: Value, *, fast: bool = False) -> Value:
    """``x Phi(x)``, Phi the normal distribution function: 31 instructions if ``fast``, else 70."""
    a = asm.minimum(asm.bit_and(x, _ABSOLUTE), _FAR)
    if fast:
        return _finish(asm, x, a, exp2_below(asm, horner(a, LOG2_TAIL), bias=_BIAS))
    # -a**2 / 2 in two parts, the first exact
    high = asm.bit_and(a, _HIGH)
    rest = (a + high) * (a - high) * -0.5
    e = exp_below(asm, high * high * -0.5, bias=_BIAS, correction=rest)
    t = reciprocal_near(asm, a * TAIL_SLOPE + 1.0)
    return _finish(asm, x, a, e * horner(t, TAIL))


def gelu_tanh_value(asm: Assembler, x: Value, *, fast: bool = False) -> Value:
    """``x / 2 (1 + tanh(u))`` with ``u = sqrt(2 / pi) (x + 0.044715 x**3)``: q is the sigmoid of
    ``-2 |u|``. 31 instructions if ``fast``.
    """
    a = asm.minimum(asm.bit_and(x, _ABSOLUTE), 10.6)
    if fast:
        scale = -2 * _SQRT_2_OVER_PI * _LOG2_E
        e = exp2_below(asm, (a * a * (scale * _CUBIC) + scale) * a, bias=_BIAS)
    else:
        scale = -2 * _SQRT_2_OVER_PI
        e = exp_below(asm, (a * a * (scale * _CUBIC) + scale) * a, bias=_BIAS)
    q = e * reciprocal_near(asm, e * 2.0**-_BIAS + 1.0, fast=fast)
    return _finish(asm, x, a, q)


def gelu(*, fast: bool = False) -> Program:
    """``out = x Phi(x)``."""
    return elementwise("gelu", lambda asm, x: gelu_value(asm, x, fast=fast))


def gelu_tanh(*, fast: bool = False) -> Program:
    """``out = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))``."""
    return elementwise("gelu_tanh", lambda asm, x: gelu_tanh_value(asm, x, fast=fast))
