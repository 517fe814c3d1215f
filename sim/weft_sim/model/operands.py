"""Operands of the array as numbers: what the decoders at its edge make of the scratchpad's bytes.

Integers stay int8. Everything else becomes bf16, held in float32: fp8 exactly, subnormal bf16 as
zeros of their sign, block-scaled values as ``value * 2**(scale - 127)``, flushed or infinite
outside of bf16's range.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
from weft_hw.config import TileConfig
from weft_hw.formats.table import BITS, FLOAT_OPERANDS, OPERANDS, Format, units_per_row

__all__ = ["SCALE_BLOCK", "FormatUse", "flushed", "format_use", "operand_values", "scaled_values"]

#: Operands along K that share a scale.
SCALE_BLOCK = 32
_BYTES = np.arange(256, dtype=np.uint8)
_FP8 = {
    Format.FP8E4M3: _BYTES.view(ml_dtypes.float8_e4m3fn).astype(np.float32),
    Format.FP8E5M2: _BYTES.view(ml_dtypes.float8_e5m2).astype(np.float32),
}
#: Two int4 in a byte, the low half first.
_INT4 = np.stack([(_BYTES.view(np.int8) << 4) >> 4, _BYTES.view(np.int8) >> 4], axis=1)
#: Smallest normal float32 and bf16.
_TINY = np.float32(2.0**-126)
_NAN_SCALE = 255


class FormatUse:
    """A format in a matmul command of one configuration.

    ``per_row`` units in a scratchpad row; ``is_float`` says that it accumulates in fp32.
    """

    __slots__ = ("code", "is_float", "per_row", "scaled")

    def __init__(self, tile: TileConfig, code: Format, scaled: bool) -> None:
        self.code = code
        self.scaled = scaled
        self.is_float = any(OPERANDS[name] is code for name in FLOAT_OPERANDS)
        self.per_row = units_per_row(tile, code)


def format_use(tile: TileConfig, code: int, scaled: int) -> FormatUse | None:
    """How a matmul command's operands are read; None where that is not built in."""
    names = [name for name, known in OPERANDS.items() if known.value == code]
    if not names or names[0] not in tile.formats:
        return None
    if scaled and ("mxfp8" not in tile.formats or OPERANDS[names[0]] not in _FP8):
        return None
    return FormatUse(tile, OPERANDS[names[0]], bool(scaled))


def flushed(values: np.ndarray) -> np.ndarray:
    """float32 with subnormal numbers as zeros of their sign."""
    subnormal = (np.abs(values) < _TINY) & (values != 0)
    if not subnormal.any():
        return values
    return np.where(subnormal, np.copysign(np.float32(0), values), values)


def operand_values(raw: np.ndarray, code: Format) -> np.ndarray:
    """(rows, bytes) uint8, contiguous, as (rows, elements) of int8 or float32."""
    if code is Format.INT8:
        return raw.view(np.int8)
    if code is Format.INT4:
        return _INT4[raw].reshape(len(raw), -1)
    if code is Format.BF16:
        bits = raw.view(np.uint16).astype(np.uint32) << 16
        return flushed(bits.view(np.float32))
    assert BITS[code] == 8
    return _FP8[code][raw]


def scaled_values(values: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """float32 ``values`` times the powers of two that uint8 ``scales`` of the same shape encode."""
    exponents = scales.astype(np.int32) - 127
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        result = flushed(np.ldexp(values, exponents))
    result[scales == _NAN_SCALE] = np.nan
    return result
