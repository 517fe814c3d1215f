"""What a convolution may be, and its weights as right operands of products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..compiler.layout import Layout
from .formats import OperandType, operand_type

if TYPE_CHECKING:
    from ..device import Device

__all__ = [
    "LARGEST_KERNEL",
    "LARGEST_PAD",
    "LARGEST_SIDE",
    "LARGEST_STEP",
    "Geometry",
    "arranged",
    "conv_kind",
    "conv_shape",
    "count",
    "merged_groups",
    "pad_bits",
    "pair",
]

#: What a LOAD's fields hold: image sides, kernel sides, steps and dilations, padding.
LARGEST_SIDE, LARGEST_KERNEL, LARGEST_STEP, LARGEST_PAD = 4095, 64, 15, 32


def conv_shape(length: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Outputs along one side."""
    return (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


@dataclass(frozen=True, slots=True)
class Geometry:
    """Steps down and across, and groups of channels."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


def conv_kind(device: Device, dtype: np.dtype) -> OperandType:
    """The operand format of weights.

    Raises
    ------
    TypeError, ValueError
        if the chip lacks it, or it is int4: pixels of an odd number of channels, and channels of a
        group, may begin inside a byte, and loads move whole bytes.
    """
    kind = operand_type(device.config, dtype, "weight")
    if kind.name == "int4":
        raise TypeError(
            "weight must not have dtype int4 in a convolution, because pixels may begin inside a "
            "byte; convert it to int8"
        )
    return kind


def merged_groups(layout: Layout, channels: int, groups: int) -> int:
    """Groups that are computed together: as many as a scratchpad row holds the channels of."""
    fits = [
        number
        for number in range(1, groups + 1)
        if groups % number == 0 and number * channels <= layout.row_elements
    ]
    return max(fits, default=1)


def arranged(weight: np.ndarray, layout: Layout, groups: int, merged: int) -> list[np.ndarray]:
    """Weights as right operands, one for each product: (positions * depth, columns), zero where
    groups do not meet and beyond the channels.
    """
    height, width, channels, out = weight.shape
    columns = out // groups
    depth = layout.rows_of(merged * channels) * layout.row_elements
    found = []
    for first in range(0, groups, merged):
        part = np.zeros((height * width, depth, merged * columns), weight.dtype)
        for number in range(merged):
            own = slice((first + number) * columns, (first + number + 1) * columns)
            part[
                :,
                number * channels : (number + 1) * channels,
                number * columns : (number + 1) * columns,
            ] = weight[..., own].reshape(height * width, channels, columns)
        found.append(part.reshape(-1, merged * columns))
    return found


def pair(value: object, what: str, low: int, high: int) -> tuple[int, int]:
    """An integer for both directions, or two of them.

    Raises
    ------
    TypeError, ValueError
        if it is neither, or one is out of range.
    """
    both = (value, value) if isinstance(value, int | np.integer) else value
    if not isinstance(both, tuple | list) or len(both) != 2:
        raise TypeError(f"{what} must be an integer or a pair of them, not {value!r}")
    for one in both:
        if isinstance(one, bool) or not isinstance(one, int | np.integer):
            raise TypeError(f"{what} must be an integer or a pair of them, not {value!r}")
        if not low <= one <= high:
            raise ValueError(f"{what} must be between {low} and {high}, not {value}")
    return int(both[0]), int(both[1])


def count(value: object, what: str) -> int:
    """A positive integer.

    Raises
    ------
    TypeError, ValueError
        if it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{what} must be an integer, not {value!r}")
    if value < 1:
        raise ValueError(f"{what} must be at least 1, not {value}")
    return int(value)


def pad_bits(value: int, kind: OperandType) -> int:
    """A padding of int8 four times; of floating-point images it is zero."""
    if kind.is_float and value != 0:
        raise ValueError(f"pad_value must be left out for {kind.dtype} images, not {value!r}")
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"pad_value must be an integer, not {value!r}")
    if not -128 <= value <= 127:
        raise ValueError(f"pad_value must be between -128 and 127, not {value}")
    return (int(value) & 0xFF) * 0x01010101
