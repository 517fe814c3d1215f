"""Integer matrix multiplication, exact."""

import numpy as np

from ._check import check_array

__all__ = ["matmul_int8"]

#: Largest K of one float32 product: ``K * (-128 * -128) <= 2**24``, up to which float32 holds every
#: integer, so BLAS is exact in whatever order it adds.
_FLOAT32_EXACT_K = 2**24 // 2**14


def matmul_int8(a: np.ndarray, w: np.ndarray, initial: np.ndarray | None = None) -> np.ndarray:
    """``initial + a @ w`` without rounding or wrapping.

    Parameters
    ----------
    a : (M, K) ndarray of int8
    w : (K, N) ndarray of int8
    initial : (M, N) ndarray of int32, optional
        what the accumulators hold beforehand; None is zero.

    Returns
    -------
    (M, N) ndarray of int32

    Raises
    ------
    TypeError, ValueError
        for a wrong dtype or shape.
    ValueError
        if a sum leaves int32, where the hardware's result would not be the product.

    Notes
    -----
    Blocks of 1,024 along K run in float32 BLAS, where every partial sum is an integer of at most
    ``2**24`` and hence exact; the blocks are added in int64.

    Examples
    --------
    >>> matmul_int8(np.array([[1, -2]], np.int8), np.array([[3], [4]], np.int8))
    array([[-5]], dtype=int32)
    """
    check_array("a", a, np.int8, (None, None))
    rows, depth = a.shape
    check_array("w", w, np.int8, (depth, None))
    cols = w.shape[1]
    if initial is None:
        total = np.zeros((rows, cols), np.int64)
    else:
        total = check_array("initial", initial, np.int32, (rows, cols)).astype(np.int64)
    for k in range(0, depth, _FLOAT32_EXACT_K):
        block = slice(k, k + _FLOAT32_EXACT_K)
        total += (a[:, block].astype(np.float32) @ w[block].astype(np.float32)).astype(np.int64)
    if total.size and (total.max() > 2**31 - 1 or total.min() < -(2**31)):
        raise ValueError(
            f"every sum must fit int32, not reach {total.min()}..{total.max()}: split K or start "
            "from smaller accumulators"
        )
    return total.astype(np.int32)
