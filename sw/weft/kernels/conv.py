"""Convolutions as products: the load engine gathers the windows, nothing is copied in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compiler.image import Image
from ..compiler.layout import Layout, layout_of
from ..compiler.task import GemmTask
from .finish import Options, finish
from .formats import OperandType, dtype_of, operand_type
from .operands import Operand, check_operand, check_shape, on_device
from .product import choose_tiles, place, plan_task

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event

__all__ = ["Conv2d", "conv_shape"]

#: What a LOAD's fields hold: image sides, kernel sides, steps and dilations, padding.
_LARGEST_SIDE, _LARGEST_KERNEL, _LARGEST_STEP, _LARGEST_PAD = 4095, 64, 15, 32


def conv_shape(length: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Outputs along one side."""
    return (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


@dataclass(frozen=True, slots=True)
class _Geometry:
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


class Conv2d:
    """A convolution with weights that are laid out once: ``y = finish(windows(x) @ weight)``.

    Channels of a group are padded to a whole scratchpad row, and narrow groups are put together
    with zeros between them (a depthwise convolution works on as many channels at once as a row
    holds), so sums of floating-point operands also add products with zero; their order is that of
    ``weft_sim.golden.matmul_float`` on operands so arranged.

    Parameters
    ----------
    weight : (KH, KW, Cin / groups, Cout) array
        of int8, bfloat16, float8_e4m3fn or float8_e5m2, C-contiguous.
    stride, padding, dilation : int or (int, int)
        down and across; zeros are padded on both sides (``pad_value`` otherwise).
    groups : int
        input channels ``g * Cin/groups`` on go to output channels ``g * Cout/groups`` on.
    pad_value : int
        of int8 images: what lies around them, their zero point.

    Raises
    ------
    TypeError, ValueError
        for operands of the wrong kind, dtype or shape, and geometries that the load engine lacks.
    """

    def __init__(
        self,
        device: Device,
        weight: np.ndarray,
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        pad_value: int = 0,
    ) -> None:
        device.require_open()
        if not isinstance(weight, np.ndarray):
            raise TypeError(f"weight must be a numpy array, not {type(weight).__name__}")
        weight = check_operand(device, weight, "weight", None, 4)  # type: ignore[assignment]
        self.device = device
        self.kind = _kind(device, weight.dtype)
        self.geometry = _Geometry(
            _pair(stride, "stride", 1, _LARGEST_STEP),
            _pair(padding, "padding", 0, _LARGEST_PAD),
            _pair(dilation, "dilation", 1, _LARGEST_STEP),
            _count(groups, "groups"),
        )
        self.kernel = (weight.shape[0], weight.shape[1])
        if max(self.kernel) > _LARGEST_KERNEL:
            raise ValueError(
                f"weight must have kernel sides of at most {_LARGEST_KERNEL}, not {self.kernel}"
            )
        self.in_channels = weight.shape[2] * groups
        self.out_channels = weight.shape[3]
        if self.out_channels % groups:
            raise ValueError(
                f"weight must have output channels that {groups} groups share evenly, "
                f"not {self.out_channels}"
            )
        self.pad_value = _pad_bits(pad_value, self.kind)
        layout = layout_of(device.config, self.kind.format)
        self._merged = _merged_groups(layout, weight.shape[2], groups)
        self._weights = [
            device.array(part) for part in _arranged(weight, layout, groups, self._merged)
        ]

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """(B, OH, OW, Cout) for images (B, H, W, Cin).

        Raises
        ------
        ValueError
            if the kernel does not fit the images, or they are too large.
        """
        if len(shape) != 4 or shape[3] != self.in_channels:
            raise ValueError(f"x must have shape (B, H, W, {self.in_channels}), not {shape}")
        if max(shape[1:3]) > _LARGEST_SIDE:
            raise ValueError(f"x must have sides of at most {_LARGEST_SIDE}, not {shape[1:3]}")
        found = [
            conv_shape(shape[1 + axis], self.kernel[axis], *steps)
            for axis, steps in enumerate(
                zip(
                    self.geometry.stride,
                    self.geometry.padding,
                    self.geometry.dilation,
                    strict=True,
                )
            )
        ]
        if min(found) < 1:
            raise ValueError(
                f"x must be at least as large as the kernel with its padding, not {shape[1:3]} "
                f"for {self.kernel}"
            )
        return shape[0], found[0], found[1], self.out_channels

    def submit(
        self,
        x: Operand,
        *,
        out: DeviceBuffer | None = None,
        tiles: int | None = None,
        **options: Any,
    ) -> Event:
        """Starts the convolution of ``x`` (B, H, W, Cin); the event's ``wait()`` gives the buffer
        (B, OH, OW, Cout). ``options`` are those of ``matmul_async`` for the results: bias, scale,
        residual (of the result's shape), activation, out_dtype and so on.
        """
        device = self.device
        x = check_operand(device, x, "x", self.kind.dtype, 4)
        shape = self.out_shape(x.shape)
        if options.get("residual") is not None:
            check_shape(options["residual"], "residual", shape, "that of the result")
            options["residual"] = options["residual"].reshape(-1, self.out_channels)
        rows = shape[0] * shape[1] * shape[2]
        finished = finish(
            device, Options(**options), rows, self.out_channels, is_float=self.kind.is_float
        )
        dtype = dtype_of(finished.out_format)
        if out is None:
            out = device.empty(shape, dtype)
        else:
            check_operand(device, out, "out", dtype, 4)
            check_shape(out, "out", shape, "that of the result")
        images = on_device(device, x)
        placed = place(device, finished.operands)
        chosen = choose_tiles(device, tiles)
        task = GemmTask(
            m=rows,
            k=0,
            n=0,
            a_address=images.address,
            b_address=0,
            out_address=out.address,
            format=self.kind.format,
            out_format=finished.out_format,
            **{f"{name}_address": buffer.address for name, buffer in placed.items()},
            **finished.task,
        )
        keep = (images, *placed.values())
        parts = range(self.geometry.groups // self._merged)
        for part in parts:
            planned = plan_task(
                device,
                self._part(task, part, x.shape, shape),
                out,
                (*keep, self._weights[part]),
                chosen,
                program=finished.program,
            )
            event = planned.run(device)
        return event

    def __call__(self, x: Operand, **options: Any) -> DeviceBuffer:
        """The convolution of ``x``, when done."""
        return self.submit(x, **options).wait()

    def _part(
        self, task: GemmTask, part: int, shape: tuple[int, ...], out: tuple[int, ...]
    ) -> GemmTask:
        """The product of the groups that are computed together."""
        config = self.device.config
        layout = layout_of(config, task.format)
        results = layout_of(config, task.out_format)
        added = layout_of(config, task.residual_format)
        parts = self.geometry.groups // self._merged
        channels, columns = self.in_channels // parts, self.out_channels // parts
        image = Image(
            height=shape[1],
            width=shape[2],
            channels=channels,
            pixel_bytes=layout.bytes_of(self.in_channels),
            kernel_height=self.kernel[0],
            kernel_width=self.kernel[1],
            out_height=out[1],
            out_width=out[2],
            stride_y=self.geometry.stride[0],
            stride_x=self.geometry.stride[1],
            pad_y=self.geometry.padding[0],
            pad_x=self.geometry.padding[1],
            dilation_y=self.geometry.dilation[0],
            dilation_x=self.geometry.dilation[1],
            pad_value=self.pad_value,
        )
        first = part * columns
        moved = {
            name: address + 4 * first
            for name in ("bias_address", "scale_address")
            if (address := getattr(task, name)) is not None
        }
        if task.residual_address is not None:
            moved["residual_address"] = task.residual_address + added.bytes_of(first)
        return replace(
            task,
            k=image.positions * image.depth(layout),
            n=columns,
            image=image,
            a_address=task.a_address + layout.bytes_of(part * channels),
            b_address=self._weights[part].address,
            out_address=task.out_address + results.bytes_of(first),
            out_pitch=results.bytes_of(self.out_channels),
            residual_pitch=added.bytes_of(self.out_channels),
            **moved,
        )


def _kind(device: Device, dtype: np.dtype) -> OperandType:
    kind = operand_type(device.config, dtype, "weight")
    if kind.name == "int4":
        raise TypeError("weight must not have dtype int4 in a convolution; convert it to int8")
    return kind


def _merged_groups(layout: Layout, channels: int, groups: int) -> int:
    """Groups that are computed together: as many as a scratchpad row holds the channels of."""
    fits = [
        count
        for count in range(1, groups + 1)
        if groups % count == 0 and count * channels <= layout.row_elements
    ]
    return max(fits, default=1)


def _arranged(weight: np.ndarray, layout: Layout, groups: int, merged: int) -> list[np.ndarray]:
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


def _pair(value: object, what: str, low: int, high: int) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int | np.integer) else value
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(f"{what} must be an integer or a pair of them, not {value!r}")
    for one in pair:
        if isinstance(one, bool) or not isinstance(one, int | np.integer):
            raise TypeError(f"{what} must be an integer or a pair of them, not {value!r}")
        if not low <= one <= high:
            raise ValueError(f"{what} must be between {low} and {high}, not {value}")
    return int(pair[0]), int(pair[1])


def _count(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{what} must be an integer, not {value!r}")
    if value < 1:
        raise ValueError(f"{what} must be at least 1, not {value}")
    return int(value)


def _pad_bits(value: int, kind: OperandType) -> int:
    """A padding of int8 four times; of floating-point images it is zero."""
    if kind.is_float and value != 0:
        raise ValueError(f"pad_value must be left out for {kind.dtype} images, not {value!r}")
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"pad_value must be an integer, not {value!r}")
    if not -128 <= value <= 127:
        raise ValueError(f"pad_value must be between -128 and 127, not {value}")
    return (int(value) & 0xFF) * 0x01010101
