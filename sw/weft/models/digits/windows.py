"""Windows of images as rows of a matrix, and back."""

from __future__ import annotations

import numpy as np

__all__ = ["fold", "out_side", "unfold"]

KERNEL, PADDING = 3, 1


def out_side(side: int, stride: int) -> int:
    """Side of the result of a 3 x 3 convolution with a border of one pixel."""
    return (side + 2 * PADDING - KERNEL) // stride + 1


def unfold(images: np.ndarray, stride: int) -> np.ndarray:
    """(B, H, W, C) to (B * OH * OW, 9 * C): kernel row, kernel column, channel; zeros around."""
    batch, height, width, channels = images.shape
    padded = np.pad(images, ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (KERNEL, KERNEL), axis=(1, 2))
    view = view[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
    rows = batch * out_side(height, stride) * out_side(width, stride)
    return np.ascontiguousarray(view).reshape(rows, KERNEL * KERNEL * channels)


def fold(rows: np.ndarray, shape: tuple[int, ...], stride: int) -> np.ndarray:
    """The sum over windows that ``unfold`` takes from images of ``shape``: its gradient."""
    batch, height, width, channels = shape
    high, wide = out_side(height, stride), out_side(width, stride)
    parts = rows.reshape(batch, high, wide, KERNEL, KERNEL, channels)
    padded = np.zeros((batch, height + 2 * PADDING, width + 2 * PADDING, channels), rows.dtype)
    for y in range(KERNEL):
        for x in range(KERNEL):
            padded[:, y : y + stride * high : stride, x : x + stride * wide : stride] += parts[
                :, :, :, y, x
            ]
    return padded[:, PADDING:-PADDING, PADDING:-PADDING]
