"""exp and exp2.

The exponent is split at an integer n by adding ``1.5 * 2**23 + 127 + bias``: the sum's low bits are
then n + 127 + bias, which shifted left by 23 is ``2**(n + bias)``. What remains goes into a
polynomial (minimax in the relative error, see ``minimax.py``).

``fast`` versions are for results in bf16 and narrower, the others for fp32.
"""

from __future__ import annotations

from ...microcode import Assembler, Program, Value
from .elementwise import elementwise, horner

__all__ = ["exp", "exp2", "exp2_below", "exp2_value", "exp_below", "exp_value"]

_MAGIC = 1.5 * 2**23 + 127
#: A little less than 1/2, so that integers are not rounded down: it matters for -126 and 128.
_HALF = 0.499994
_LOG2_E = 1.4426950408889634
#: ln 2 in two parts: the first has 16 bits, so that its product with n is exact.
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.42860677e-06

#: 2**r on -1/2..1/2, relative error 7.5e-5.
EXP2_NEAR_FAST = (0.999928073, 0.693260985, 0.242611122, 0.0551716692)
#: 2**r on 0..1, 8.6e-5.
EXP2_ABOVE_FAST = (1.0, 0.695116786, 0.227644994, 0.07706704)
#: 2**r on 0..1, 8.2e-8.
EXP2_ABOVE = (1.0, 0.693151312, 0.240164452, 0.0557999089, 0.00901703468, 0.00186712849)
#: e**r on 0..ln 2, 8.2e-8.
EXP_ABOVE = (1.0, 1.00000596, 0.49987084, 0.16755489, 0.0390626672, 0.0116693564)
#: (e**r - 1 - r) / r**2 on -ln(2)/2..ln(2)/2; e**r's relative error is 3.0e-9.
EXP_NEAR = (0.499999931, 0.166665206, 0.0416684859, 0.00836872447, 0.00138092004)


def _split(asm: Assembler, y: Value, bias: int, *, floor: bool) -> tuple[Value, Value]:
    """The integer n next to (or, with ``floor``, below) y as fp32, and ``2**(n + bias)``."""
    shifted = (y - _HALF if floor else y) + (_MAGIC + bias)
    return shifted - (_MAGIC + bias), asm.shift_left(shifted, 23)


def exp2_below(asm: Assembler, y: Value, *, bias: int = 0) -> Value:
    """``2**(y + bias)``, fast, for ``-127.4 - bias <= y <= 127 - bias``: 11 instructions, relative
    error 8e-5.
    """
    n, power = _split(asm, y, bias, floor=False)
    return horner(y - n, EXP2_NEAR_FAST) * power


def exp_below(
    asm: Assembler,
    x: Value,
    *,
    bias: int = 0,
    correction: Value | None = None,
    factor: Value | float = 1.0,
) -> Value:
    """``factor * e**(x + correction) * 2**bias`` for ``-88 - 0.69 bias <= x <= 0`` and a correction
    far smaller than 1: 21 instructions, one more with a correction or a factor other than 1; 1.3
    ULP.
    """
    n, power = _split(asm, x * _LOG2_E, bias, floor=False)
    if correction is None:
        rest = x - n * _LN2_HIGH - n * _LN2_LOW
    else:
        rest = (x - n * _LN2_HIGH) + (correction - n * _LN2_LOW)
    # the exponential less 1, so that a factor costs no rounding of its own
    less_one = rest * rest * horner(rest, EXP_NEAR) + rest
    if isinstance(factor, Value):
        less_one = less_one * factor
    return (less_one + factor) * power


def exp_value(asm: Assembler, x: Value, *, fast: bool = False) -> Value:
    """``e**x`` for all x: 15 instructions if ``fast``, else 22. Results below 2**-126 are 0."""
    if fast:
        return exp2_value(asm, x * _LOG2_E, fast=True)
    x = asm.minimum(asm.maximum(x, -87.9), 89.0)
    n, power = _split(asm, x * _LOG2_E, 0, floor=True)
    return horner(x - n * _LN2_HIGH - n * _LN2_LOW, EXP_ABOVE) * power


def exp2_value(asm: Assembler, y: Value, *, fast: bool = False) -> Value:
    """``2**y`` for all y: 14 instructions if ``fast``, else 18. Results below 2**-126 are 0."""
    y = asm.minimum(asm.maximum(y, -126.9), 128.5)
    n, power = _split(asm, y, 0, floor=True)
    return horner(y - n, EXP2_ABOVE_FAST if fast else EXP2_ABOVE) * power


def exp(*, fast: bool = False) -> Program:
    """``out = e**x``.

    24 cycles a vector row (17 ``fast``). Worst error at most 3.0 ULP of fp32; ``fast`` 0.53 ULP of
    bf16.
    """
    return elementwise("exp", lambda asm, x: exp_value(asm, x, fast=fast))


def exp2(*, fast: bool = False) -> Program:
    """``out = 2**x``.

    20 cycles a vector row (16 ``fast``). Worst error at most 3.0 ULP of fp32; ``fast`` 0.53 ULP of
    bf16.
    """
    return elementwise("exp2", lambda asm, x: exp2_value(asm, x, fast=fast))
