"""Matrix multiplication whose operands along K are shared out among tiles.

The tiles take consecutive ranges of K. Each adds up its own products as ``matmul_float`` has it, as
if there were no others. Their partial sums are then added one after the other, in the order of K:
``((s0 + s1) + s2) + ...``, fp32, each sum rounded to nearest, ties to even, subnormal ones to zeros
of their sign; every NaN is 0x7FC00000. Which tile adds, and how many do, changes nothing.

int32 sums are the same however K is split.
"""

from collections.abc import Sequence

import numpy as np

from . import fp32
from .matmul_float import matmul_float

__all__ = ["matmul_split"]


def matmul_split(a: np.ndarray, w: np.ndarray, *, rows: int, lengths: Sequence[int]) -> np.ndarray:
    """``a @ w`` from partial sums over ranges of K.

    Parameters
    ----------
    a : (M, K) ndarray of float32
    w : (K, N) ndarray of float32
        operands as ``decode_operands`` or ``scale_operands`` gives them.
    rows : int
        rows of the array.
    lengths : sequence of int
        how many operands along K each tile takes (``GemmPlan.k_lengths``); they add up to K.

    Returns
    -------
    (M, N) ndarray of float32

    Raises
    ------
    TypeError, ValueError
        for a wrong dtype or shape, lengths that are not positive or do not add up to K.
    """
    if len(lengths) == 0 or min(lengths) < 1 or sum(lengths) != a.shape[1]:
        raise ValueError(
            f"lengths must be positive and add up to {a.shape[1]}, the columns of a, "
            f"not {tuple(lengths)}"
        )
    ends = np.cumsum(lengths)
    parts = [
        matmul_float(
            np.ascontiguousarray(a[:, end - length : end]), w[end - length : end], rows=rows
        )
        for end, length in zip(ends, lengths, strict=True)
    ]
    total = parts[0]
    with np.errstate(all="ignore"):
        for part in parts[1:]:
            total = fp32.add(total, part)
    return total
