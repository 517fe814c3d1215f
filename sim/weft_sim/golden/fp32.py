"""fp32 arithmetic as the vector engine's lanes do it, on whole arrays.

IEEE 754 binary32, round to nearest, ties to even. Every function takes and gives float32 arrays
that hold no subnormal numbers (``flush`` makes them so): a subnormal result becomes zero of its
sign, every NaN becomes 0x7FC00000. Whether a product is subnormal is decided after it was rounded
to 24 bits with an unbounded exponent.

Callers silence numpy's floating-point warnings (``np.errstate(all="ignore")``).
"""

import numpy as np

__all__ = [
    "NAN_BITS",
    "add",
    "flush",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
    "to_float",
    "to_int",
]

NAN_BITS = np.uint32(0x7FC00000)

_SIGN = np.uint32(0x80000000)
_EXPONENT = np.uint32(0x7F800000)
_NAN = NAN_BITS.view(np.float32)
_SMALLEST = np.float32(2.0**-126)
#: Below it a product rounds to less than 2**-126; the tie goes up, to the even significand.
_TINY = 2.0**-126 - 2.0**-151


def flush(value: np.ndarray) -> np.ndarray:
    """``value`` (float32) with zeros of their sign for subnormal numbers."""
    bits = value.view(np.uint32)
    small = (bits & _EXPONENT) == 0
    if not small.any():
        return value
    return np.where(small, bits & _SIGN, bits).view(np.float32)


def _without_nans(value: np.ndarray) -> np.ndarray:
    """``value`` with the one NaN in place of others; in place."""
    wrong = np.isnan(value)
    if wrong.any():
        value[wrong] = _NAN
    return value


def _finish_sum(total: np.ndarray) -> np.ndarray:
    small = np.abs(total) < _SMALLEST
    if small.any():
        # a subnormal sum is exact, so its sign is right
        np.multiply(total, np.float32(0), out=total, where=small)
    return _without_nans(total)


def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a + b``"""
    return _finish_sum(np.atleast_1d(a + b))


def subtract(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a - b``"""
    return _finish_sum(np.atleast_1d(a - b))


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a * b``"""
    product = np.atleast_1d(a * b)
    small = np.abs(product) <= _SMALLEST
    if small.any():
        a, b = (np.broadcast_to(operand, product.shape)[small] for operand in (a, b))
        exact = a.astype(np.float64) * b
        kept = product[small]
        product[small] = np.where(np.abs(exact) < _TINY, np.copysign(np.float32(0), kept), kept)
    return _without_nans(product)


def minimum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The lesser; -0 is less than +0; NaN if an operand is."""
    result = np.atleast_1d(np.minimum(a, b))
    zero = result == 0
    if zero.any():
        signs = (a.view(np.uint32) | b.view(np.uint32)) & _SIGN
        signs = np.where((a == 0) & (b == 0), signs, result.view(np.uint32) & _SIGN)
        result = np.where(zero, signs.view(np.float32), result)
    return _without_nans(result)


def maximum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The greater; +0 is greater than -0; NaN if an operand is."""
    result = np.atleast_1d(np.maximum(a, b))
    zero = result == 0
    if zero.any():
        signs = (a.view(np.uint32) & b.view(np.uint32)) & _SIGN
        signs = np.where((a == 0) & (b == 0), signs, result.view(np.uint32) & _SIGN)
        result = np.where(zero, signs.view(np.float32), result)
    return _without_nans(result)


def to_int(value: np.ndarray, low: int = -(2**31), high: int = 2**31 - 1) -> np.ndarray:
    """The nearest integers, ties to even, saturated to ``low``..``high``, as int32; NaN gives 0."""
    rounded = np.clip(np.rint(value.astype(np.float64)), low, high)
    return np.nan_to_num(rounded, nan=0.0, copy=False).astype(np.int32)


def to_float(value: np.ndarray) -> np.ndarray:
    """float32 of int32, rounded."""
    return value.astype(np.float32)
