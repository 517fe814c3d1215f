"""int4 in memory: two to a byte, the first in the low half; every row begins a byte."""

from __future__ import annotations

import ml_dtypes
import numpy as np

__all__ = ["INT4", "is_packed", "pack_int4", "packed_bytes", "unpack_int4"]

#: numpy's dtype of int4, a byte each on the host.
INT4 = np.dtype(ml_dtypes.int4)


def is_packed(dtype: np.dtype) -> bool:
    """Whether arrays of ``dtype`` are packed on a device."""
    return dtype == INT4


def packed_bytes(shape: tuple[int, ...]) -> int:
    """Bytes of an int4 array of that shape in device memory."""
    return int(np.prod(shape[:-1], dtype=object)) * (-(-shape[-1] // 2))


def pack_int4(array: np.ndarray) -> np.ndarray:
    """An array (..., K) of int4 as bytes (..., ceil(K/2)) of uint8; a last half byte is zero.

    >>> pack_int4(np.array([[1, -1, 7]]).astype(INT4)).tolist()
    [[241, 7]]
    """
    nibbles = array.astype(np.int8).view(np.uint8) & 15
    if nibbles.shape[-1] % 2:
        nibbles = np.concatenate((nibbles, np.zeros_like(nibbles[..., :1])), axis=-1)
    return nibbles[..., 0::2] | nibbles[..., 1::2] << 4


def unpack_int4(raw: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Packed bytes (any shape) as an int4 array of ``shape``.

    >>> unpack_int4(np.array([241, 7], np.uint8), (1, 3)).astype(int).tolist()
    [[1, -1, 7]]
    """
    packed = raw.reshape(*shape[:-1], -1)
    nibbles = np.stack((packed & 15, packed >> 4), axis=-1).reshape(*shape[:-1], -1)
    signed = (nibbles[..., : shape[-1]].astype(np.int8) ^ 8) - np.int8(8)
    return signed.astype(INT4)
