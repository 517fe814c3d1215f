"""Convolutions as products: the load engine gathers the windows, nothing is copied in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compiler.image import Image
from ..compiler.layout import layout_of
from ..compiler.task import GemmTask
from .conv_geometry import (
    LARGEST_KERNEL,
    LARGEST_PAD,
    LARGEST_SIDE,
    LARGEST_STEP,
    Geometry,
    arranged,
    conv_kind,
    conv_shape,
    count,
    merged_groups,
    pad_bits,
    pair,
)
from .finish import Options, finish
from .formats import dtype_of
from .loads import require_tensor_loads
from .operands import Operand, check_operand, check_shape, on_device, result_buffer
from .product import choose_tiles, place, plan_task

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event

__all__ = ["Conv2d"]


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
        for operands of the wrong kind, dtype or shape, geometries that the load engine lacks, and a
        chip without ``tensor_loads``.
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
        require_tensor_loads(device.config, "convolutions")
        if not isinstance(weight, np.ndarray):
            raise TypeError(f"weight must be a numpy array, not {type(weight).__name__}")
        weight = check_operand(device, weight, "weight", None, 4)
        self.device = device
        self.kind = conv_kind(device, weight.dtype)
        self.geometry = Geometry(
            pair(stride, "stride", 1, LARGEST_STEP),
            pair(padding, "padding", 0, LARGEST_PAD),
            pair(dilation, "dilation", 1, LARGEST_STEP),
            count(groups, "groups"),
        )
        self.kernel = (weight.shape[0], weight.shape[1])
        if max(self.kernel) > LARGEST_KERNEL:
            raise ValueError(
                f"weight must have kernel sides of at most {LARGEST_KERNEL}, not {self.kernel}"
            )
        self.in_channels = weight.shape[2] * groups
        self.out_channels = weight.shape[3]
        if self.out_channels % groups:
            raise ValueError(
                f"weight must have output channels that {groups} groups share evenly, "
                f"not {self.out_channels}"
            )
        self.pad_value = pad_bits(pad_value, self.kind)
        layout = layout_of(device.config, self.kind.format)
        self._merged = merged_groups(layout, weight.shape[2], groups)
        self._weights = [
            device.array(part) for part in arranged(weight, layout, groups, self._merged)
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
        if max(shape[1:3]) > LARGEST_SIDE:
            raise ValueError(f"x must have sides of at most {LARGEST_SIDE}, not {shape[1:3]}")
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
        apart = {"x": x, **finished.operands}
        in_place = {"residual": apart.pop("residual")} if "residual" in apart else {}
        dtype = dtype_of(finished.out_format)
        out = result_buffer(device, out, shape, dtype, apart=apart, in_place=in_place)
        images = on_device(device, x)
        placed = place(device, finished.operands)
        chosen = choose_tiles(device, tiles)
        addresses: dict[str, Any] = {f"{name}_address": at.address for name, at in placed.items()}
        task = GemmTask(
            m=rows,
            k=0,
            n=0,
            a_address=images.address,
            b_address=0,
            out_address=out.address,
            format=self.kind.format,
            out_format=finished.out_format,
            **addresses,
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
                programs=finished.programs,
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
