"""Numbers of every operand format as the array carries them, and a product of MiniLM to take them
from.

Inside an array with floating point an operand is 17 bits (``weft_hw.array.operand.Operand``):
significand, sign, exponent; fp8 and MX numbers are widened to it at the array's edge.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import ml_dtypes
import numpy as np
from weft_hw.config import FLOAT_FORMATS

from ..microscaling import GROUP

__all__ = ["minilm_product", "rounded", "words"]

_FP8 = {"fp8e4m3": ml_dtypes.float8_e4m3fn, "fp8e5m2": ml_dtypes.float8_e5m2}
#: Element type that MX numbers are measured with.
_MX_ELEMENT = "fp8e4m3"
#: Layers of MiniLM in front of the product that operands are taken from, of six.
_LAYERS_BEFORE = 3
_SENTENCES = (
    "An accelerator multiplies matrices, and most of its energy goes into moving the operands.",
    "The ferry to the island leaves at seven in the morning and returns when the tide allows it.",
    "She read the contract twice, asked three questions, and signed it without another word.",
    "Rivers that rise in the mountains carry more water in June than in any other month.",
    "If the measurement disagrees with the model, the model is what has to change.",
    "He tuned the old piano by ear, one string after the other, until the chord stopped beating.",
)


@cache
def minilm_product() -> tuple[np.ndarray, np.ndarray]:
    """Activations (tokens, K) and weights (K, N) of the query, key and value product of MiniLM's
    fourth layer, for six sentences through the three layers before it in bf16; float32.

    Raises
    ------
    ImportError
        if the package with the weights is not installed.
    """
    from ..models.minilm.emulation import hidden_bf16
    from ..models.minilm.weights import load_minilm

    model = load_minilm()
    front = replace(model, layers=model.layers[:_LAYERS_BEFORE])
    inputs = [hidden_bf16(front, model.tokens(text)) for text in _SENTENCES]
    weights, _ = model.layers[_LAYERS_BEFORE].joined
    return np.concatenate(inputs).astype(np.float32), weights.astype(np.float32)


def rounded(values: np.ndarray, format: str, axis: int = -1) -> np.ndarray:
    """Numbers rounded to a format: int8 arrays to int8 or int4 (int4 keeps the upper half of int8
    numbers beyond its range), float32 arrays to what a float format holds, as float32.

    fp8 takes the whole array to the format's largest number; MX has a power of two for every
    ``GROUP`` along ``axis``.
    """
    if format == "int4":
        wide = values.astype(np.int16)
        return (wide if np.abs(wide).max(initial=0) <= 8 else wide >> 4).astype(np.int8)
    if format not in FLOAT_FORMATS:
        return values.astype(np.int8)
    values = values.astype(np.float32)
    if format == "bf16":
        return values.astype(ml_dtypes.bfloat16).astype(np.float32)
    if format == "mxfp8":
        return _rounded_mx(values, axis)
    kind = _FP8[format]
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    scale = np.float32(float(ml_dtypes.finfo(kind).max) / largest)
    return (values * scale).astype(kind).astype(np.float32)


def _rounded_mx(values: np.ndarray, axis: int) -> np.ndarray:
    kind = _FP8[_MX_ELEMENT]
    moved = np.moveaxis(values, axis, -1)
    result = np.empty_like(moved)
    for start in range(0, moved.shape[-1], GROUP):
        group = moved[..., start : start + GROUP]
        largest = np.abs(group).max(axis=-1, keepdims=True)
        # exponent of the largest number over that of the format's largest power of two, 2**8
        scale = np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1))) - 8)
        elements = np.clip(group / scale, -448, 448).astype(kind).astype(np.float32)
        result[..., start : start + GROUP] = elements * scale
    return np.moveaxis(result, -1, axis)


def words(values: np.ndarray, format: str, wide: bool) -> np.ndarray:
    """Operands as the integers that the array's wires carry: two's complement, or with ``wide``
    the 17 bits of ``Operand``, int64."""
    if not wide:
        return values.astype(np.int64)
    if format not in FLOAT_FORMATS:
        bits = values.astype(np.int64) & 255
        return bits | (bits >> 7) << 8
    bits = values.astype(ml_dtypes.bfloat16).view(np.uint16).astype(np.int64)
    sign, exponent, fraction = bits >> 15, bits >> 7 & 255, bits & 127
    significand = np.where(exponent > 0, 128 | fraction, 0)
    return significand | sign << 8 | exponent << 9
