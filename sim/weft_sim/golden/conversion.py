"""Number formats in memory to and from 32-bit lanes, as the vector engine's LOAD and STORE do it.

``load_lanes`` takes the bytes of vectors (..., vector bytes) and gives (..., C) lanes as uint32:
bits of fp32, or with ``integer`` of int32. ``store_lanes`` does the reverse.

==========  ===================================================================================
LOAD        BF16 and FP32 keep every bit; FP8 is exact, its NaN becomes 0x7FC00000; integers are
            exact, but INT32 to fp32 rounds to nearest, ties to even
STORE       FP32 and INT32 with ``integer`` keep every bit; BF16 and FP8 round to nearest, ties to
            even, fp32 subnormals first become zero of their sign, FP8's own are kept; NaN gives
            0x7FC0, 0x7F (E4M3), 0x7E (E5M2). Overflow gives infinity (E4M3: NaN) or, with
            ``saturate``, as infinities then do, the largest finite number. Integers saturate
            always; from fp32 they round to nearest, ties to even, and NaN gives 0.
==========  ===================================================================================
"""

import ml_dtypes
import numpy as np
from weft_hw.formats.table import Format

from . import fp32

__all__ = ["load_lanes", "store_lanes"]

_SIGN = np.uint32(0x80000000)
_FP8 = {
    Format.FP8E4M3.value: (np.dtype(ml_dtypes.float8_e4m3fn), 448.0, 0x7F),
    Format.FP8E5M2.value: (np.dtype(ml_dtypes.float8_e5m2), 57344.0, 0x7E),
}
_BF16_LARGEST = np.uint32(0x7F7F)
_BF16_NAN = np.uint16(0x7FC0)
_RANGE = {
    Format.INT4.value: (-8, 7),
    Format.INT8.value: (-128, 127),
    Format.INT32.value: (-(2**31), 2**31 - 1),
}


def _fp8_values(dtype: np.dtype) -> np.ndarray:
    """fp32 bits of all 256 codes."""
    values = np.arange(256, dtype=np.uint8).view(dtype).astype(np.float32)
    values[np.isnan(values)] = fp32.NAN_BITS.view(np.float32)
    return values.view(np.uint32)


_FP8_VALUES = {code: _fp8_values(dtype) for code, (dtype, _, _) in _FP8.items()}


def load_lanes(raw: np.ndarray, code: int, *, integer: bool = False) -> np.ndarray:
    """Lanes of vectors in memory.

    Parameters
    ----------
    raw : (..., vector bytes) ndarray of uint8, contiguous
    code : int
        a value of ``Format``.
    integer : bool
        int32 from integer formats; no difference for others.

    Returns
    -------
    (..., C) ndarray of uint32

    Raises
    ------
    ValueError
        if there is no such format.
    """
    if code == Format.BF16.value:
        return raw.view(np.uint16).astype(np.uint32) << np.uint32(16)
    if code == Format.FP32.value:
        return raw.view(np.uint32)
    if code in _FP8_VALUES:
        return _FP8_VALUES[code][raw]
    if code == Format.INT4.value:
        pairs = np.stack([raw << 4, raw & 0xF0], axis=-1).reshape(*raw.shape[:-1], -1)
        values = (pairs.view(np.int8) >> 4).astype(np.int32)
    elif code == Format.INT8.value:
        values = raw.view(np.int8).astype(np.int32)
    elif code == Format.INT32.value:
        values = raw.view(np.int32)
    else:
        raise ValueError(f"code must be that of a number format, not {code}")
    return (values if integer else fp32.to_float(values)).view(np.uint32)


def store_lanes(
    lanes: np.ndarray, code: int, *, integer: bool = False, saturate: bool = False
) -> np.ndarray:
    """Vectors as they go to memory.

    Parameters
    ----------
    lanes : (..., C) ndarray of uint32, contiguous
        fp32, or int32 with ``integer``.
    code : int
        a value of ``Format``.
    integer, saturate : bool
        see above; ``integer`` makes no difference for floating-point formats.

    Returns
    -------
    (..., vector bytes) ndarray of uint8

    Raises
    ------
    ValueError
        if there is no such format.
    """
    if code == Format.FP32.value:
        return lanes.view(np.uint8)
    if code == Format.BF16.value:
        return _to_bf16(lanes, saturate).view(np.uint8)
    if code in _FP8:
        return _to_fp8(lanes, code, saturate)
    if code not in _RANGE:
        raise ValueError(f"code must be that of a number format, not {code}")
    low, high = _RANGE[code]
    if integer:
        values = lanes.view(np.int32)
        if code != Format.INT32.value:
            values = np.clip(values, low, high)
    else:
        values = fp32.to_int(lanes.view(np.float32), low, high)
    if code == Format.INT32.value:
        return values.view(np.uint8)
    narrow = values.astype(np.int8).view(np.uint8)
    if code == Format.INT8.value:
        return narrow
    return (narrow[..., 0::2] & 0x0F) | (narrow[..., 1::2] << 4)


def _to_bf16(lanes: np.ndarray, saturate: bool) -> np.ndarray:
    bits = fp32.flush(lanes.view(np.float32)).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    if saturate:
        sign = rounded & np.uint32(0x8000)
        rounded = sign | np.minimum(rounded & np.uint32(0x7FFF), _BF16_LARGEST)
    result = rounded.astype(np.uint16)
    wrong = np.isnan(lanes.view(np.float32))
    if wrong.any():
        result[wrong] = _BF16_NAN
    return result


def _to_fp8(lanes: np.ndarray, code: int, saturate: bool) -> np.ndarray:
    dtype, largest, nan = _FP8[code]
    values = fp32.flush(lanes.view(np.float32))
    if saturate:
        values = np.clip(values, np.float32(-largest), np.float32(largest))
    result = values.astype(dtype)
    return np.where(np.isnan(result.astype(np.float32)), np.uint8(nan), result.view(np.uint8))
