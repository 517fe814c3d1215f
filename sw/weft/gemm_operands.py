"""Random operands of a product in any format, and what the device must make of them."""

from __future__ import annotations

from collections.abc import Sequence

import ml_dtypes
import numpy as np
from weft_hw.config import FORMATS, ChipConfig
from weft_hw.formats.table import Format
from weft_sim.golden import decode_operands, matmul_int8, matmul_split, scale_operands

from .kernels.formats import OPERAND_TYPES, require_format
from .microscaling import MxArray, mx

__all__ = ["DTYPES", "GemmOperands", "expected", "random_operands"]

#: Operand formats by the names that configurations use.
DTYPES = tuple(FORMATS)

GemmOperands = tuple[np.ndarray | MxArray, np.ndarray | MxArray]

_CODES = {kind.dtype: kind for kind in OPERAND_TYPES}


def random_operands(
    config: ChipConfig, dtype: str, m: int, k: int, n: int, seed: int
) -> GemmOperands:
    """(M, K) and (K, N): integers of the whole range, or standard normal numbers, rounded.

    mxfp8 has E4M3 elements where the chip has them, and magnitudes that differ from group to group.

    Raises
    ------
    ValueError
        if there is no such format, or the chip is built without it.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    require_format(config, dtype, "dtype")
    rng = np.random.default_rng(seed)
    if dtype in ("int8", "int4"):
        limit = 1 << FORMATS[dtype] - 1
        a = rng.integers(-limit, limit, (m, k), dtype=np.int8)
        b = rng.integers(-limit, limit, (k, n), dtype=np.int8)
        return (a, b) if dtype == "int8" else (a.astype(ml_dtypes.int4), b.astype(ml_dtypes.int4))
    left = rng.standard_normal((m, k), dtype=np.float32)
    right = rng.standard_normal((k, n), dtype=np.float32)
    if dtype == "mxfp8":
        element = (
            ml_dtypes.float8_e4m3fn if "fp8e4m3" in config.tile.formats else ml_dtypes.float8_e5m2
        )
        left *= np.exp2(rng.integers(-6, 7, (m, 1))).astype(np.float32)
        right *= np.exp2(rng.integers(-6, 7, (1, n))).astype(np.float32)
        return mx(left, element, axis=1), mx(right, element, axis=0)
    kind = next(kind for kind in OPERAND_TYPES if kind.name == dtype)
    return left.astype(kind.dtype), right.astype(kind.dtype)


def expected(
    config: ChipConfig,
    a: np.ndarray | MxArray,
    b: np.ndarray | MxArray,
    k_lengths: Sequence[int] | None = None,
) -> np.ndarray:
    """The golden's sums, (M, N) of int32 or float32; ``k_lengths``: see ``GemmPlan``."""
    if a.dtype == np.int8 or a.dtype == ml_dtypes.int4:
        return matmul_int8(np.asarray(a).astype(np.int8), np.asarray(b).astype(np.int8))
    left, right = _decoded(a), _decoded(b)
    lengths = (left.shape[1],) if k_lengths is None else k_lengths
    return matmul_split(left, right, rows=config.tile.array_rows, lengths=lengths)


def _decoded(operand: np.ndarray | MxArray) -> np.ndarray:
    """What the array sees, float32."""
    elements = np.ascontiguousarray(operand.elements if isinstance(operand, MxArray) else operand)
    code: Format = _CODES[elements.dtype].format
    values = decode_operands(elements.view(np.uint8).reshape(elements.shape[0], -1), code)
    if isinstance(operand, MxArray):
        return scale_operands(values, operand.expanded_scales())
    return values
