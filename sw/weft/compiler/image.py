"""The left operand of a convolution: windows of images, gathered by the load engine (im2col).

Row ``(b, y, x)`` of the operand is the window at output position (y, x) of image b; its columns are
the kernel's positions (ky, kx), ``depth`` operands each: the channels of a pixel, then zeros up to
a whole scratchpad row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .layout import Layout

__all__ = ["Image", "image_loads"]

#: Repetitions of the second loop of a LOAD.
_LARGEST_REPEAT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Images (batch, height, width, channels) and the windows that a kernel sees.

    ``channels``: of a pixel that are used; ``pixel_bytes``: from one pixel to the next. ``pad_y``,
    ``pad_x``: rows above and columns left of the image. ``pad_value``: 32 bits, what lies outside.
    """

    height: int
    width: int
    channels: int
    pixel_bytes: int
    kernel_height: int
    kernel_width: int
    out_height: int
    out_width: int
    stride_y: int = 1
    stride_x: int = 1
    pad_y: int = 0
    pad_x: int = 0
    dilation_y: int = 1
    dilation_x: int = 1
    pad_value: int = 0

    @property
    def positions(self) -> int:
        """Of the kernel."""
        return self.kernel_height * self.kernel_width

    def depth(self, layout: Layout) -> int:
        """Operands along K for one position."""
        return layout.rows_of(self.channels) * layout.row_elements


@dataclass(frozen=True, slots=True)
class _Rows:
    """Output positions [y, y + ny) x [x, x + nx) of an image: rows ``at`` on of the operand."""

    at: int
    image: int
    y: int
    ny: int
    x: int
    nx: int


@dataclass(frozen=True, slots=True)
class _Columns:
    """Channels [c, c + nc) at kernel positions [ky, ky + nky) x [kx, kx + nkx): operands ``at``
    on.
    """

    at: int
    ky: int
    nky: int
    kx: int
    nkx: int
    c: int
    nc: int


def image_loads(
    image: Image,
    layout: Layout,
    base: int,
    address_bits: int,
    rows: tuple[int, int],
    columns: tuple[int, int],
    local_row: int,
) -> Iterator[dict[str, int]]:
    """Fields of the LOAD commands for operand rows and columns (start, length) each, to scratchpad
    rows from ``local_row`` on; ``base`` is the address of the first image.
    """
    stride = layout.rows_of(columns[1])
    depth_rows = layout.rows_of(image.channels)
    pitch = image.width * image.pixel_bytes
    for down in _row_pieces(image, *rows):
        for across in _column_pieces(image, image.depth(layout), *columns):
            y = down.y * image.stride_y - image.pad_y + across.ky * image.dilation_y
            x = down.x * image.stride_x - image.pad_x + across.kx * image.dilation_x
            address = base + (down.image * image.height + y) * pitch + x * image.pixel_bytes
            address += layout.bytes_of(across.c)
            first_y, height = _inside(y, image.height)
            first_x, width = _inside(x, image.width)
            yield {
                "memory_address": address % (1 << address_bits),
                "memory_stride": image.stride_x * image.pixel_bytes,
                "row_bytes": layout.bytes_of(across.nc),
                "rows": down.nx,
                "local_row": local_row + down.at * stride + across.at // layout.row_elements,
                "local_stride": stride,
                "more_1": down.ny - 1,
                "memory_stride_1": image.stride_y * pitch,
                "local_stride_1": down.nx * stride,
                "more_2": across.nkx - 1,
                "memory_stride_2": image.dilation_x * image.pixel_bytes,
                "local_stride_2": depth_rows,
                "more_3": across.nky - 1,
                "memory_stride_3": image.dilation_y * pitch,
                "local_stride_3": image.kernel_width * depth_rows,
                "padded": 1,
                "pad_y": first_y,
                "pad_x": first_x,
                "step_y": image.stride_y,
                "step_x": image.stride_x,
                "dilation_y": image.dilation_y,
                "dilation_x": image.dilation_x,
                "height": height,
                "width": width,
                "pad_value": image.pad_value,
            }


def _inside(first: int, length: int) -> tuple[int, int]:
    """A first coordinate and a length that say the same as those given, the first at most 1."""
    if first <= 0:
        return first, length
    # nothing lies before the first: count from it
    return (0, length - first) if first < length else (1, 1)


def _row_pieces(image: Image, start: int, length: int) -> Iterator[_Rows]:
    at = 0
    while at < length:
        rest, x = divmod(start + at, image.out_width)
        number, y = divmod(rest, image.out_height)
        left = length - at
        if x or left < image.out_width:
            piece = _Rows(at, number, y, 1, x, min(left, image.out_width - x))
        else:
            ny = min(image.out_height - y, left // image.out_width, _LARGEST_REPEAT)
            piece = _Rows(at, number, y, ny, 0, image.out_width)
        yield piece
        at += piece.ny * piece.nx


def _column_pieces(image: Image, depth: int, start: int, length: int) -> Iterator[_Columns]:
    at = 0
    while at < length:
        position, c = divmod(start + at, depth)
        ky, kx = divmod(position, image.kernel_width)
        left = length - at
        whole = left // depth
        if c or whole == 0:
            taken = min(left, depth - c)
            if c < image.channels:
                used = min(taken, image.channels - c)
                yield _Columns(at, ky, 1, kx, 1, c, used)
        elif kx or whole < image.kernel_width:
            count = min(whole, image.kernel_width - kx)
            taken = count * depth
            yield _Columns(at, ky, 1, kx, count, 0, image.channels)
        else:
            count = min(whole // image.kernel_width, image.kernel_height - ky)
            taken = count * image.kernel_width * depth
            yield _Columns(at, ky, count, 0, image.kernel_width, 0, image.channels)
        at += taken
