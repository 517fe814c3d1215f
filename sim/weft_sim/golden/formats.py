"""What the array reads: bytes of the scratchpad to operands, and block scales.

Integers stay integers. Floating-point operands are what the array makes of them at its edge: bf16
numbers, held in float32, in which subnormal bf16 numbers have become zeros of their sign (fp8's own
subnormals are normal bf16 numbers) and every NaN is 0x7FC00000.
"""

import numpy as np
from weft_hw.formats.table import Format

from . import fp32
from .conversion import load_lanes, store_lanes

__all__ = ["SCALE_BLOCK", "decode_operands", "encode_operands", "scale_operands"]

#: Operands along K that share a scale.
SCALE_BLOCK = 32

_INTEGERS = (Format.INT8.value, Format.INT4.value)
_FLOATS = (Format.BF16.value, Format.FP8E4M3.value, Format.FP8E5M2.value)
_SCALE_NAN = 0xFF


def _operand_code(code: Format | int) -> int:
    value = code.value if isinstance(code, Format) else code
    if value not in _INTEGERS + _FLOATS:
        raise ValueError(f"code must be that of an operand format of the array, not {code}")
    return value


def decode_operands(raw: np.ndarray, code: Format | int) -> np.ndarray:
    """Operands in memory, as the array sees them.

    Parameters
    ----------
    raw : (..., bytes) ndarray of uint8
    code : Format or int

    Returns
    -------
    (..., elements) ndarray of int8 (INT8, INT4) or float32

    Raises
    ------
    ValueError
        if the array does not multiply that format.

    Examples
    --------
    >>> decode_operands(np.array([0x2F], np.uint8), Format.INT4)
    array([-1,  2], dtype=int8)
    """
    value = _operand_code(code)
    raw = np.ascontiguousarray(raw)
    if value in _INTEGERS:
        return load_lanes(raw, value, integer=True).view(np.int32).astype(np.int8)
    values = fp32.flush(load_lanes(raw, value).view(np.float32))
    wrong = np.isnan(values)
    return np.where(wrong, fp32.NAN_BITS.view(np.float32), values) if wrong.any() else values


def encode_operands(values: np.ndarray, code: Format | int) -> np.ndarray:
    """The bytes of operands: int8 arrays for INT8 and INT4 (an even number of elements in -8..7),
    float32 for the others (rounded to nearest, ties to even).

    Returns
    -------
    (..., bytes) ndarray of uint8

    Raises
    ------
    TypeError, ValueError
        for another format, dtype or number.
    """
    value = _operand_code(code)
    wanted = np.dtype(np.int8 if value in _INTEGERS else np.float32)
    if values.dtype != wanted:
        raise TypeError(f"values must have dtype {wanted}, not {values.dtype}")
    if value in _INTEGERS:
        if value == Format.INT4.value:
            if values.shape[-1] % 2:
                raise ValueError(
                    f"values must have an even number of int4 elements, not {values.shape[-1]}"
                )
            if values.size and (values.max() > 7 or values.min() < -8):
                raise ValueError(
                    f"values must lie in -8..7 for int4, not in {values.min()}..{values.max()}"
                )
        return store_lanes(values.astype(np.int32).view(np.uint32), value, integer=True)
    return store_lanes(np.ascontiguousarray(values).view(np.uint32), value)


def scale_operands(values: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Operands times the power of two that their block shares.

    Parameters
    ----------
    values : ndarray of float32
        decoded fp8.
    scales : ndarray of uint8 that broadcasts to the shape of ``values``
        E8M0: the factor is ``2**(scale - 127)``; 0xFF is NaN.

    Returns
    -------
    ndarray of float32
        bf16 numbers: exact, below 2**-126 zeros of their sign, above bf16's range infinite.

    Examples
    --------
    >>> scale_operands(np.array([1.5], np.float32), np.array([128], np.uint8))
    array([3.], dtype=float32)
    """
    with np.errstate(over="ignore"):
        exact = np.ldexp(values.astype(np.float64), scales.astype(np.int32) - 127)
        scaled = exact.astype(np.float32)
    tiny = np.abs(exact) < 2.0**-126
    scaled = np.where(tiny, np.copysign(np.float32(0), values), scaled)
    nan = (scales == _SCALE_NAN) | np.isnan(values)
    return np.where(nan, fp32.NAN_BITS.view(np.float32), scaled)
