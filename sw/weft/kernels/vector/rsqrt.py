"""Reciprocal square root: a seed from the bits of x, then Newton's iteration
``y *= 1.5 - 0.5 x y y``.
"""

from __future__ import annotations

from ...microcode import Assembler, Program, Value
from .elementwise import elementwise

__all__ = ["rsqrt", "rsqrt_near", "rsqrt_value"]

#: Halving and negating an fp32 number's exponent: the seed's relative error is below 3.5 %.
_SEED = 0x5F3759DF
_SIGN, _INFINITY = 0x80000000, 0x7F800000


def rsqrt_near(asm: Assembler, x: Value, *, fast: bool = False) -> Value:
    """``1 / sqrt(x)`` for ``2**-125 <= x <= 2**127``: 11 instructions if ``fast`` (relative error
    4.7e-6), else 16 (1 ULP).
    """
    y = asm.int_subtract(_SEED, asm.shift_right(x, 1))
    half = x * 0.5
    y = y * (1.5 - half * y * y)
    y = y * (1.5 - half * y * y)
    if not fast:
        y = y + y * (0.5 - half * y * y)
    return y


def rsqrt_value(asm: Assembler, x: Value, *, fast: bool = False) -> Value:
    """``1 / sqrt(x)`` for all x; -0 and 0 give infinity of their sign, negative numbers NaN: 13
    instructions more than ``rsqrt_near``.
    """
    mask = asm.less(x, 2.0**-60)
    scale = asm.select(mask, 2.0**60, 1.0)
    back = asm.select(mask, 2.0**30, 1.0)
    y = rsqrt_near(asm, x * scale, fast=fast) * back
    y = asm.select(asm.equal(x, float("inf")), 0.0, y)
    y = asm.select(asm.less(x, 0.0), float("nan"), y)
    infinity = asm.bit_or(asm.bit_and(x, _SIGN), _INFINITY)
    return asm.select(asm.equal(x, 0.0), infinity, y)


def rsqrt(*, fast: bool = False) -> Program:
    """``out = 1 / sqrt(x)``; of zeros, infinity of their sign; of negative numbers, NaN.

    31 cycles a vector row (26 ``fast``). Worst error at most 1.3 ULP of fp32; ``fast`` 0.5 ULP of
    bf16.
    """
    return elementwise("rsqrt", lambda asm, x: rsqrt_value(asm, x, fast=fast))
