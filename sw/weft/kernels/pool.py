"""Max and average pooling of images on the device."""

from __future__ import annotations

from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from weft_hw.formats.table import Format

from ..compiler.image import Image
from ..compiler.layout import layout_of
from ..compiler.pool import PoolTask, Reduction, pool_programs
from ..compiler.program import Step
from . import vector
from .conv import Conv2d
from .conv_geometry import LARGEST_KERNEL, LARGEST_PAD, LARGEST_SIDE, LARGEST_STEP, conv_shape, pair
from .elementwise import combine
from .formats import format_of
from .loads import require_tensor_loads
from .operands import Operand, check_operand, on_device, result_buffer

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event
    from ..microcode import Program

__all__ = ["average_pool2d", "max_pool2d"]

#: Streams that a program reads.
_TAPS = 3
#: What lies around an image whose largest values are looked for, as 32 bits.
_LEAST = {
    Format.INT8: 0x80808080,
    Format.BF16: 0xFF80FF80,
    Format.FP32: 0xFF800000,
    Format.INT32: 0x80000000,
    Format.FP8E5M2: 0xFCFCFCFC,
}


def max_pool2d(
    device: Device,
    x: Operand,
    window: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    out: DeviceBuffer | None = None,
) -> Event:
    """The largest value of each window and channel of ``x`` (B, H, W, C); the event's ``wait()``
    gives the buffer (B, OH, OW, C) of the same dtype.

    ``stride`` is the window if left out. Padding, at most half a window, never wins. NaN wins
    always.

    Raises
    ------
    TypeError, ValueError
        for operands of the wrong kind, dtype or shape, geometries that the load engine lacks, a
        chip without ``tensor_loads``.
    """
    device.require_open()
    require_tensor_loads(device.config, "pooling")
    x = check_operand(device, x, "x", None, 4)
    code = format_of(device.config, x.dtype, "x")
    if code not in _LEAST:
        raise TypeError(f"x must not have dtype {x.dtype} in max_pool2d; convert it")
    sides = pair(window, "window", 1, LARGEST_KERNEL)
    steps = sides if stride is None else pair(stride, "stride", 1, LARGEST_STEP)
    if max(steps) > LARGEST_STEP:
        raise ValueError(f"stride must be given for windows above {LARGEST_STEP}, not {window}")
    pads = pair(padding, "padding", 0, LARGEST_PAD)
    if any(2 * pad > side for pad, side in zip(pads, sides, strict=True)):
        raise ValueError(f"padding must be at most half of the window {window}, not {padding}")
    batch, height, width, channels = x.shape
    if max(height, width) > LARGEST_SIDE:
        raise ValueError(f"x must have sides of at most {LARGEST_SIDE}, not {(height, width)}")
    down = conv_shape(height, sides[0], steps[0], pads[0], 1)
    across = conv_shape(width, sides[1], steps[1], pads[1], 1)
    if min(down, across) < 1:
        raise ValueError(
            f"x must be at least as large as the window, not {(height, width)} for {window}"
        )
    shape = (batch, down, across, channels)
    out = result_buffer(device, out, shape, x.dtype, apart={"x": x})
    placed = on_device(device, x)
    image = Image(
        height=height,
        width=width,
        channels=channels,
        pixel_bytes=layout_of(device.config, code).bytes_of(channels),
        kernel_height=sides[0],
        kernel_width=sides[1],
        out_height=down,
        out_width=across,
        stride_y=steps[0],
        stride_x=steps[1],
        pad_y=pads[0],
        pad_x=pads[1],
        pad_value=_LEAST[code],
    )
    mesh = device.config.mesh
    tiles = [(column, row) for row in range(mesh.rows) for column in range(mesh.cols)]
    task = PoolTask(
        rows=batch * down * across,
        format=code,
        image=image,
        address=placed.address,
        out_address=out.address,
        reductions=_reductions(device, image.positions, tiles),
    )
    parts = pool_programs(device.config, task, tiles)
    ordered = [step for turn in zip_longest(*parts) for step in turn if isinstance(step, Step)]
    return device.run_steps(ordered, name="max_pool", keep=(placed, out), result=out)


def _reductions(
    device: Device, positions: int, tiles: list[tuple[int, int]]
) -> tuple[Reduction, ...]:
    """As many programs as a window takes, three positions each."""
    spans = [(first, min(_TAPS, positions - first)) for first in range(0, positions, _TAPS)]
    programs = [_program(taps, first > 0) for first, taps in spans]
    distinct = list(dict.fromkeys(programs))
    starts = dict(zip(distinct, device.programs.require(distinct, tiles), strict=True))
    return tuple(
        Reduction(starts[program], first, taps, program.per_block)
        for program, (first, taps) in zip(programs, spans, strict=True)
    )


@lru_cache(maxsize=8)
def _program(taps: int, accumulate: bool) -> Program:
    return vector.max_pool(taps, accumulate=accumulate)


def average_pool2d(
    device: Device,
    x: Operand,
    window: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    count_include_pad: bool = False,
    out: DeviceBuffer | None = None,
) -> Event:
    """The mean of each window and channel of ``x`` (B, H, W, C); the event's ``wait()`` gives the
    buffer (B, OH, OW, C) of the same dtype.

    As in ONNX what lies around the image is left out of the mean, or, with ``count_include_pad``,
    counts as zeros. A convolution with ones: sums are exact for int8 and in the array's order for
    floating point, then multiplied with ``float32(1 / positions)`` and rounded once. Where windows
    have different numbers of positions, sums go through memory.

    Raises
    ------
    TypeError, ValueError
        as ``weft.kernels.Conv2d``.
    """
    x = check_operand(device, x, "x", None, 4)
    sides = pair(window, "window", 1, LARGEST_KERNEL)
    pads = pair(padding, "padding", 0, LARGEST_PAD)
    if not isinstance(count_include_pad, bool):
        raise TypeError(f"count_include_pad must be True or False, not {count_include_pad!r}")
    if not count_include_pad and any(pad >= side for pad, side in zip(pads, sides, strict=True)):
        raise ValueError(
            f"padding must be less than the window {window} where it is not counted, not {padding}"
        )
    ones = np.ones((*sides, 1, x.shape[3]), x.dtype)
    layer = Conv2d(
        device, ones, stride=sides if stride is None else stride, padding=padding,
        groups=x.shape[3],
    )  # fmt: skip
    if count_include_pad or max(pads) == 0:
        options: dict[str, Any] = {"scale": 1.0 / (sides[0] * sides[1]), "out_dtype": str(x.dtype)}
        return layer.submit(x, out=out, **options)
    shape = layer.out_shape(x.shape)
    if out is not None:
        result_buffer(device, out, shape, x.dtype, apart={"x": x})
    sums = layer.submit(x, out_dtype="float32" if layer.kind.is_float else "int32").result
    steps = layer.geometry.stride
    down, across = (
        _inside(shape[1 + axis], x.shape[1 + axis], sides[axis], steps[axis], pads[axis])
        for axis in (0, 1)
    )
    factors = (1.0 / np.outer(down, across)).astype(np.float32)[None, :, :, None]
    every = np.ascontiguousarray(np.broadcast_to(factors, shape))
    return combine(device, "multiply", sums, every, out_dtype=x.dtype, out=out)


def _inside(windows: int, length: int, side: int, step: int, pad: int) -> np.ndarray:
    """How many positions of each window along an axis lie inside the image."""
    first = np.arange(windows) * step - pad
    return np.minimum(first + side, length) - np.maximum(first, 0)
