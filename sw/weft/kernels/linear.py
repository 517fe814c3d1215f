"""Layers that stay on the device: weights are copied once, activations never leave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .formats import operand_type
from .matmul import matmul_async
from .operands import Operand, check_operand, check_shape, on_device, scale_vector

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event

__all__ = ["Linear", "Sequential"]


class Linear:
    """``y = finish(x @ weight + bias)`` with weights that are copied once.

    Parameters
    ----------
    weight : (K, N) of int8, or of a floating-point operand format
    bias : (N,) of int32, or of float32 where results are made by a program
    scale : (N,) of float32 or a number, optional
        None leaves the sums; int32 ones have no ReLU, zero point or residual.
    relu, zero_point, activation, out_dtype
        see ``matmul_async``.

    Raises
    ------
    TypeError, ValueError
        for operands of the wrong kind, dtype or shape.
    """

    def __init__(
        self,
        device: Device,
        weight: Operand,
        bias: Operand | None = None,
        *,
        scale: Operand | float | None = None,
        relu: bool = False,
        zero_point: int = 0,
        activation: str | None = None,
        out_dtype: Any = None,
    ) -> None:
        weight = check_operand(device, weight, "weight", None, 2)
        kind = operand_type(device.config, weight.dtype, "weight")
        columns = weight.shape[1]
        by_program = kind.is_float or str(out_dtype) not in ("None", "int8", "int32")
        if bias is not None:
            bias = check_operand(device, bias, "bias", np.float32 if by_program else np.int32, 1)
            check_shape(bias, "bias", (columns,), "one for each column of weight")
        if scale is None and not by_program and (relu or zero_point):
            raise ValueError("scale must be given for relu or zero_point, not None")
        if scale is not None and not (by_program and isinstance(scale, int | float)):
            scale = on_device(device, scale_vector(device, scale, columns))
        self.device = device
        self.kind = kind
        self.weight: DeviceBuffer = on_device(device, weight)
        self._options: dict[str, Any] = {
            "relu": relu,
            "zero_point": zero_point,
            "scale": scale,
            "activation": activation,
            "out_dtype": out_dtype,
        }
        if bias is not None:
            self._options["bias"] = on_device(device, bias)

    @property
    def shape(self) -> tuple[int, ...]:
        """(K, N)."""
        return self.weight.shape

    def submit(self, x: Operand, residual: Operand | None = None) -> Event:
        """Starts ``layer(x)`` for ``x`` (M, K) of the weight's dtype; the event's ``wait()`` gives
        the buffer.
        """
        return matmul_async(self.device, x, self.weight, residual=residual, **self._options)

    def __call__(self, x: Operand, residual: Operand | None = None) -> DeviceBuffer:
        """``layer(x)``, when done."""
        return self.submit(x, residual).wait()


class Sequential:
    """Layers one after the other; all are submitted at once, and each reads what the one before
    left on the device.

    Raises
    ------
    ValueError
        if there are none, or two neighbours do not fit.
    """

    def __init__(self, layers: Iterable[Linear]) -> None:
        self.layers: Sequence[Linear] = tuple(layers)
        if not self.layers:
            raise ValueError("layers must be at least one, not none")
        for number, (one, two) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            if one.shape[1] != two.shape[0]:
                raise ValueError(
                    f"layer {number + 1} must take the {one.shape[1]} columns that layer {number} "
                    f"gives, not {two.shape[0]}"
                )

    @classmethod
    def of(cls, device: Device, layers: Iterable[Any]) -> Sequential:
        """From ``weft.quantise.QuantisedLayer`` records."""
        return cls(
            Linear(device, layer.weight, layer.bias, scale=layer.scale, relu=layer.relu)
            for layer in layers
        )

    def submit(self, x: Operand) -> list[Event]:
        """Starts every layer; the last event's ``wait()`` gives the result. One event a layer."""
        events: list[Event] = []
        for layer in self.layers:
            events.append(layer.submit(x))
            x = events[-1].result
        return events

    def __call__(self, x: Operand) -> DeviceBuffer:
        """The last layer's result for ``x`` (M, K) of int8."""
        return self.submit(x)[-1].wait()
