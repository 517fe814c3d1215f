"""How far results are from float64 references."""

import numpy as np

__all__ = ["error_ulp"]

#: What flushing subnormal numbers may cost, in any format with 8 bits of exponent.
_SMALLEST = 2.0**-126


def error_ulp(got: np.ndarray, want: np.ndarray, digits: int) -> np.ndarray:
    """Units in the last place, of ``want`` with ``digits`` binary digits, between results and
    float64 references; an absolute error of 2**-126, the smallest normal number, is forgiven.

    A reference that rounds to infinity counts as infinity; NaN must be NaN.
    """
    limit = 2.0**128 * (1 - 2.0 ** -(digits + 1))
    with np.errstate(all="ignore"):
        got = got.astype(np.float32).astype(np.float64)
        want = np.where(np.abs(want) >= limit, np.copysign(np.inf, want), want)
        exponent = np.floor(np.log2(np.maximum(np.abs(want), _SMALLEST)))
        error = np.maximum(np.abs(got - want) - _SMALLEST, 0) / 2.0 ** (exponent + 1 - digits)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    return np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))
