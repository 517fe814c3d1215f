"""What the array adds up: exact integers, or fp32 in the array's own order."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import sger
from threadpoolctl import ThreadpoolController

from .operands import flushed

__all__ = ["multiply", "multiply_float"]

#: Largest K of one exact float32 product: ``K * 2**14 <= 2**24``.
_EXACT_K = 1024
#: One thread: threads that wait for each other cost more than these products on a busy machine.
_POOLS = ThreadpoolController()
#: Sums worked on at once: they stay in the cache.
_SUMS_AT_ONCE = 1 << 14
#: A product of two bf16 is a multiple of 2**-15 times its leading bit's weight, and so are sums of
#: such: nothing becomes subnormal if the smallest leading bit weighs this.
_SAFE_PRODUCT = 2.0**-111
#: The same for a float32 that is added to.
_SAFE_SUM = 2.0**-103
#: No product beyond this overflows.
_SAFE_SIZE = 2.0**127
_NAN = np.uint32(0x7FC00000)


def multiply(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    """``a @ w`` of int8 (M, K) and (K, N) in int32, exact, through float32 BLAS."""
    total: np.ndarray | None = None
    with _POOLS.limit(limits=1, user_api="blas"):
        for k in range(0, a.shape[1], _EXACT_K):
            left = a[:, k : k + _EXACT_K].astype(np.float32)
            part = (left @ w[k : k + _EXACT_K].astype(np.float32)).astype(np.int32)
            total = part if total is None else total + part
    assert total is not None
    return total


def _extent(values: np.ndarray) -> tuple[float, float]:
    """Smallest magnitude other than zero (at most one) and largest."""
    size = np.abs(values)
    return float(np.min(size, where=size > 0, initial=1.0)), float(size.max())


def _is_plain(a: np.ndarray, w: np.ndarray, initial: np.ndarray | None) -> bool:
    """Whether no product overflows, and no product or sum can be subnormal."""
    a_least, a_most = _extent(a)
    w_least, w_most = _extent(w)
    # also false if there is a NaN
    if not (a_least * w_least >= _SAFE_PRODUCT and a_most * w_most < _SAFE_SIZE):
        return False
    return initial is None or _extent(initial)[0] >= _SAFE_SUM


def _canonical(values: np.ndarray) -> np.ndarray:
    """The one NaN there is, in place of all."""
    nan = np.isnan(values)
    if nan.any():
        values.view(np.uint32)[nan] = _NAN
    return values


def multiply_float(
    a: np.ndarray, w: np.ndarray, rows: int, initial: np.ndarray | None = None
) -> np.ndarray:
    """float32 sums of bf16 products, as an array of ``rows`` makes them.

    Parameters
    ----------
    a : (M, K) ndarray of float32
        values of bf16, none subnormal.
    w : (K, N) ndarray of float32
    rows : int
        of the array: each block of so many products is summed by itself, in order, from zero.
    initial : (M, N) ndarray of float32, optional
        accumulators to which the blocks' sums are added in order; without it the first block's
        sums are the accumulators.

    Returns
    -------
    (M, N) ndarray of float32

    Notes
    -----
    Every step rounds to nearest even; a subnormal product or sum is a zero of its sign; a NaN is
    0x7FC00000.
    """
    m, n = a.shape[0], w.shape[1]
    sums = _sums_plain if _is_plain(a, w, initial) else _sums_flushing
    total = np.empty((m, n), np.float32)
    lines = max(1, _SUMS_AT_ONCE // n)
    columns = np.ascontiguousarray(a.T)
    with (
        np.errstate(over="ignore", under="ignore", invalid="ignore"),
        _POOLS.limit(limits=1, user_api="blas"),
    ):
        for begin in range(0, m, lines):
            part = slice(begin, min(m, begin + lines))
            start = None if initial is None else initial[part]
            total[part] = sums(columns[:, part], w, rows, start)
    return _canonical(total)


def _sums_plain(
    columns: np.ndarray, w: np.ndarray, rows: int, initial: np.ndarray | None
) -> np.ndarray:
    """Where products are exact: whether BLAS rounds between product and sum makes no difference.

    ``columns`` is (K, M).
    """
    shape = columns.shape[1], w.shape[1]
    total = None if initial is None else initial.copy()
    for first in range(0, len(w), rows):
        sums = np.zeros(shape, np.float32)
        for k in range(first, min(first + rows, len(w))):
            sger(1.0, w[k], columns[k], a=sums.T, overwrite_a=1)
        if total is None:
            total = sums
        else:
            np.add(total, sums, out=total)
    assert total is not None
    return total


def _sums_flushing(
    columns: np.ndarray, w: np.ndarray, rows: int, initial: np.ndarray | None
) -> np.ndarray:
    """The same with a look at every product and sum."""
    total = None if initial is None else flushed(initial)
    for first in range(0, len(w), rows):
        sums = np.zeros((columns.shape[1], w.shape[1]), np.float32)
        # lanes beyond K are products of zeros, which are added like any other
        for k in range(first, first + rows):
            if k < len(w):
                sums = flushed(sums + flushed(columns[k][:, None] * w[k]))
            else:
                sums = sums + np.float32(0)
        total = sums if total is None else flushed(total + sums)
    assert total is not None
    return total
