"""Floating-point matrix multiplication in the order in which the array adds.

Operands are bf16 numbers. A product of two is exact in float32. The rows of the array add their
products one after the other, beginning with +0 (``s = 0 + p0``, ``+ p1``, ... ``+ p(R-1)``), each
sum rounded to nearest, ties to even; operands beyond K are +0. The sum of each block of R along K
is then added to the accumulator, or, for the first block without initial values, replaces it.
Subnormal products and sums become zeros of their sign; every NaN is 0x7FC00000.
"""

import numpy as np

from . import fp32
from ._check import check_array

__all__ = ["error_bound", "matmul_float"]

_SMALLEST = np.float32(2.0**-126)
#: Places below the leading one of an operand and of a sum.
_OPERAND_PLACES, _SUM_PLACES = 7, 23
#: Sums worked on together: two such arrays of float32 fit a core's cache.
_TILE = 1 << 16


def matmul_float(
    a: np.ndarray, w: np.ndarray, *, rows: int, initial: np.ndarray | None = None
) -> np.ndarray:
    """``initial + a @ w``, every addition in the array's order.

    Parameters
    ----------
    a : (M, K) ndarray of float32
    w : (K, N) ndarray of float32
        operands as ``decode_operands`` or ``scale_operands`` gives them.
    rows : int
        rows of the array (``TileConfig.array_rows``): the length of a block along K.
    initial : (M, N) ndarray of float32, optional
        what the accumulators hold beforehand; None: the first block replaces it.

    Returns
    -------
    (M, N) ndarray of float32

    Raises
    ------
    TypeError, ValueError
        for a wrong dtype or shape.

    Notes
    -----
    Blocks in which exponents prove that nothing subnormal can arise skip the flush: every product
    and sum is then a multiple of the product of the operands' last places.
    """
    check_array("a", a, np.float32, (None, None))
    count, depth = a.shape
    check_array("w", w, np.float32, (depth, None))
    cols = w.shape[1]
    if not isinstance(rows, int) or rows < 1:
        raise ValueError(f"rows must be a positive integer, not {rows!r}")
    if initial is not None:
        check_array("initial", initial, np.float32, (count, cols))
    if count == 0 or cols == 0 or depth == 0:
        return np.zeros((count, cols), np.float32) if initial is None else initial.copy()
    if cols < count:
        # the longer side innermost; products commute
        turned = None if initial is None else initial.T
        return np.ascontiguousarray(_multiply(w.T, a.T, rows, turned).T)
    return _multiply(a, w, rows, initial)


def _multiply(a: np.ndarray, w: np.ndarray, rows: int, initial: np.ndarray | None) -> np.ndarray:
    a_columns, w = np.ascontiguousarray(a.T), np.ascontiguousarray(w)
    depth, count = a_columns.shape
    cols = w.shape[1]
    blocks = range(0, depth, rows)
    last_place = (
        np.array([_least(a_columns[k : k + rows]) + _least(w[k : k + rows]) for k in blocks])
        - 2 * _OPERAND_PLACES
    )
    # what the accumulator holds is a multiple of the least of all blocks before
    before = np.minimum.accumulate(last_place)
    if initial is not None:
        before = np.minimum(before, _least(initial) - _SUM_PLACES)
    out = np.empty((count, cols), np.float32)
    width = min(cols, _TILE)
    height = max(1, _TILE // width)
    with np.errstate(all="ignore"):
        for m in range(0, count, height):
            for n in range(0, cols, width):
                part = np.s_[m : m + height, n : n + width]
                total = None if initial is None else fp32.flush(initial[part])
                for block, k in enumerate(blocks):
                    total = _add_block(
                        a_columns[k : k + rows, m : m + height],
                        w[k : k + rows, n : n + width],
                        rows,
                        total,
                        exact_sum=last_place[block] >= -126,
                        exact_total=before[block] >= -126,
                    )
                out[part] = total
    out[np.isnan(out)] = fp32.NAN_BITS.view(np.float32)
    return out


def _least(values: np.ndarray) -> int:
    """The least exponent of the nonzero numbers; large if there are none."""
    exponents = (np.ascontiguousarray(values).view(np.uint32) >> np.uint32(23)) & np.uint32(0xFF)
    # zeros, and subnormal numbers, which count as zeros, become the largest
    return int((exponents - np.uint32(1)).astype(np.uint8).min(initial=0xFF)) + 1 - 127


def _flush(values: np.ndarray) -> None:
    small = np.abs(values) < _SMALLEST
    if small.any():
        np.multiply(values, np.float32(0), out=values, where=small)


def _add_block(
    a_columns: np.ndarray, w: np.ndarray, rows: int, total: np.ndarray | None, *,
    exact_sum: bool, exact_total: bool,
) -> np.ndarray:  # fmt: skip
    total_of_block = np.zeros((a_columns.shape[1], w.shape[1]), np.float32)
    product = np.empty_like(total_of_block)
    for column, row in zip(a_columns, w, strict=True):
        np.multiply(column[:, None], row[None, :], out=product)
        if not exact_sum:
            _flush(product)
        np.add(total_of_block, product, out=total_of_block)
        if not exact_sum:
            _flush(total_of_block)
    if len(w) < rows:
        # one +0 or many: it makes -0 to +0
        total_of_block += np.float32(0)
    if total is None:
        return total_of_block
    np.add(total, total_of_block, out=total_of_block)
    if not exact_total:
        _flush(total_of_block)
    return total_of_block


def error_bound(a: np.ndarray, w: np.ndarray, *, rows: int) -> np.ndarray:
    """How far ``matmul_float`` may be from the exact product: (M, N) float64.

    A product passes through at most R roundings inside its block and one for each block after it,
    each of relative error ``u = 2**-24``: the first-order bound ``(R + blocks) * u * |a| @ |w|``
    (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 4.2), widened by 1 % for
    the higher orders, plus ``2**-126`` for each of the ``2 K + blocks`` results that may have been
    flushed. For finite results.
    """
    depth = a.shape[1]
    blocks = -(-depth // rows)
    magnitude = np.abs(a.astype(np.float64)) @ np.abs(w.astype(np.float64))
    return 1.01 * (rows + blocks) * 2.0**-24 * magnitude + (2 * depth + blocks) * 2.0**-126
