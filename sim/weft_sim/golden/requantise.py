"""What the vector engine makes of accumulators: int8 by requantisation, or int32 with bias."""

import numpy as np

from ._check import check_array, check_int8

__all__ = ["requantise", "vector_int32"]


def vector_int32(acc: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """``acc + bias``, wrapping in two's complement.

    Parameters
    ----------
    acc : (M, N) ndarray of int32
    bias : (N,) ndarray of int32, optional

    Returns
    -------
    (M, N) ndarray of int32

    Notes
    -----
    The sum wraps, as int32 addition in C, numpy and onnxruntime does: a bias that is added in two
    parts, or taken back, then gives the same bits.

    Examples
    --------
    >>> vector_int32(np.array([[2**31 - 1]], np.int32), np.array([1], np.int32))
    array([[-2147483648]], dtype=int32)
    """
    check_array("acc", acc, np.int32, (None, None))
    if bias is None:
        return acc.copy()
    check_array("bias", bias, np.int32, (acc.shape[1],))
    # unsigned addition is defined to wrap
    return (acc.view(np.uint32) + bias.view(np.uint32)).view(np.int32)


def requantise(
    acc: np.ndarray,
    scale: np.ndarray | np.floating | float,
    zero_point: int = 0,
    clamp_min: int = -128,
    clamp_max: int = 127,
    bias: np.ndarray | None = None,
    residual: np.ndarray | None = None,
) -> np.ndarray:
    """Accumulators to int8, with the rounding of ONNX's ``QuantizeLinear``.

    Parameters
    ----------
    acc : (M, N) ndarray of int32
    scale : (N,) ndarray of float32, or one number for all columns
        a number is rounded to float32 first.
    zero_point : int
        of the output, in int8.
    clamp_min, clamp_max : int
        in int8. ReLU is ``clamp_min=zero_point``.
    bias : (N,) ndarray of int32, optional
    residual : (M, N) ndarray of int8, optional

    Returns
    -------
    (M, N) ndarray of int8

    Notes
    -----
    Element by element::

        s = acc + bias                       int32, wraps
        f = float32(s)                       round to nearest, ties to even
        p = f * scale                        float32, round to nearest, ties to even
        q = integer(p)                       round to nearest, ties to even
        v = q + zero_point + residual        exact
        y = min(max(v, clamp_min), clamp_max)

    ``q`` is unbounded here; hardware may saturate it to -512..511, because ``zero_point +
    residual``, at most 256 in size, cannot bring it back into int8. Subnormal scales and products
    count as zero or not, whichever: ``q`` is zero in either case, as ``p`` is below ``2**-95``. An
    infinite ``p`` saturates by its sign. A ``p`` that is not a number (a NaN scale, or zero times
    infinity) gives ``q = 0``. Where ``clamp_min > clamp_max``, every ``y`` is ``clamp_max``.

    Examples
    --------
    >>> requantise(np.array([[5, 7, 1000]], np.int32), 0.5, zero_point=1)
    array([[  3,   5, 127]], dtype=int8)
    """
    total = vector_int32(acc, bias)
    if isinstance(scale, np.ndarray) and scale.ndim:
        check_array("scale", scale, np.float32, (acc.shape[1],))
    elif isinstance(scale, bool) or not isinstance(
        scale, float | int | np.floating | np.integer | np.ndarray
    ):
        raise TypeError(f"scale must be a float32 array or a number, not {scale!r}")
    zero_point = check_int8("zero_point", zero_point)
    clamp_min = check_int8("clamp_min", clamp_min)
    clamp_max = check_int8("clamp_max", clamp_max)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        product = total.astype(np.float32) * np.asarray(scale, np.float32)
    # beyond +-512 the result is clamped in any case, and inside every integer is exact
    rounded = np.rint(np.clip(np.nan_to_num(product, nan=0.0), -512, 511)).astype(np.int32)
    if residual is not None:
        rounded += check_array("residual", residual, np.int8, acc.shape)
    rounded += zero_point
    return np.minimum(np.maximum(rounded, clamp_min), clamp_max).astype(np.int8)
