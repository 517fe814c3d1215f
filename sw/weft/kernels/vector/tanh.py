"""Hyperbolic tangent."""

from __future__ import annotations

from ...microcode import Assembler, Program, Value
from .elementwise import elementwise, horner
from .exponential import exp_below
from .reciprocal import divide_near

__all__ = ["tanh", "tanh_value"]

_ABSOLUTE, _SIGN = 0x7FFFFFFF, 0x80000000

#: tanh(x) / x in x**2 on |x| <= 4, numerator and denominator, relative error 3.7e-4 (minimax).
FAST_NUMERATOR = (0.999631550, 0.0826552758)
FAST_DENOMINATOR = (1.0, 0.414018939, 0.00653836199)
#: tanh(x) / x in x**2 on |x| <= 0.7, relative error 1.6e-8 (minimax).
NEAR = (1.0, -0.3333319, 0.133291128, -0.0535589895, 0.0200922803, -0.00513892097)


def tanh_value(asm: Assembler, x: Value, *, fast: bool = False) -> Value:
    """``tanh(x)`` for all x: 18 instructions if ``fast`` (a quotient of polynomials), else 55 (a
    polynomial below 0.7, ``1 - 2 e / (1 + e)`` with ``e = exp(-2 |x|)`` above).
    """
    if fast:
        x = asm.minimum(asm.maximum(x, -4.0), 4.0)
        square = x * x
        below = horner(square, FAST_DENOMINATOR)
        return divide_near(asm, horner(square, FAST_NUMERATOR) * x, below, fast=True)
    magnitude = asm.bit_and(x, _ABSOLUTE)
    e = exp_below(asm, asm.minimum(magnitude, 40.0) * -2.0)
    far = 1.0 - divide_near(asm, e + e, e + 1.0)
    far = asm.bit_or(far, asm.bit_and(x, _SIGN))
    square = x * x
    near = horner(square, NEAR) * x
    return asm.select(asm.less(magnitude, 0.7), near, far)


def tanh(*, fast: bool = False) -> Program:
    """``out = tanh(x)``.

    57 cycles a vector row (20 ``fast``). Worst error at most 1.6 ULP of fp32; ``fast`` 0.6 ULP of
    bf16.
    """
    return elementwise("tanh", lambda asm, x: tanh_value(asm, x, fast=fast))
