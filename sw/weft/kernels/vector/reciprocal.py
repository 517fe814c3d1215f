"""Reciprocal: a seed from the bits of x, then Newton's iteration ``y += y (1 - x y)``."""

from __future__ import annotations

from ...microcode import Assembler, Program, Value
from .elementwise import elementwise

__all__ = [
    "divide_near",
    "reciprocal",
    "reciprocal_near",
    "reciprocal_of_sum",
    "reciprocal_value",
]

#: Negating an fp32 number's exponent: the seed's relative error is below 5.1 %.
_SEED = 0x7EF311C7
_ABSOLUTE, _SIGN, _INFINITY = 0x7FFFFFFF, 0x80000000, 0x7F800000
#: The upper half of a significand.
_HIGH = 0xFFFFF000


def reciprocal_near(asm: Assembler, x: Value, *, fast: bool = False) -> Value:
    """``1 / x`` for ``2**-125 <= |x| <= 2**125``: 7 instructions if ``fast`` (relative error
    6.6e-6), else 11 (1 ULP).
    """
    y = asm.int_subtract(_SEED, x)
    y = y * (2.0 - x * y)
    y = y * (2.0 - x * y)
    if not fast:
        y = y + y * (1.0 - x * y)
    return y


def reciprocal_of_sum(asm: Assembler, x: Value, rest: Value) -> Value:
    """``1 / (x + rest)`` for x as of ``reciprocal_near`` and a rest far smaller than x: 24
    instructions (0.51 ULP). What is left of 1 is computed with products of half significands, which
    are exact.
    """
    y = reciprocal_near(asm, x)
    high, y_high = asm.bit_and(x, _HIGH), asm.bit_and(y, _HIGH)
    left = (1.0 - high * y_high) - high * (y - y_high) - ((x - high) + rest) * y
    return y + y * left


def divide_near(asm: Assembler, a: Value, b: Value, *, fast: bool = False) -> Value:
    """``a / b`` for b as of ``reciprocal_near`` and a whose quotient is as large: 8 instructions if
    ``fast``, else 12 (1 ULP).
    """
    y = reciprocal_near(asm, b, fast=True)
    quotient = a * y
    return quotient if fast else quotient + y * (a - b * quotient)


def reciprocal_value(asm: Assembler, x: Value, *, fast: bool = False) -> Value:
    """``1 / x`` for all x: 11 instructions more than ``reciprocal_near``."""
    magnitude = asm.bit_and(x, _ABSOLUTE)
    # where the seed and its products stay within fp32
    scale = asm.select(asm.less(magnitude, 1.0), 2.0**24, 2.0**-24)
    y = reciprocal_near(asm, x * scale, fast=fast) * scale
    sign = asm.bit_and(x, _SIGN)
    y = asm.select(asm.equal(magnitude, float("inf")), sign, y)
    return asm.select(asm.equal(magnitude, 0.0), asm.bit_or(sign, _INFINITY), y)


def reciprocal(*, fast: bool = False) -> Program:
    """``out = 1 / x``; of zeros, infinity of their sign.

    24 cycles a vector row (20 ``fast``). Worst error at most 1.2 ULP of fp32; ``fast`` 0.5 ULP of
    bf16.
    """
    return elementwise("reciprocal", lambda asm, x: reciprocal_value(asm, x, fast=fast))
