"""The network on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...kernels import Conv2d
from .quantised import QuantisedCnn
from .windows import PADDING

if TYPE_CHECKING:
    from ...buffer import DeviceBuffer
    from ...device import Device

__all__ = ["DigitsCnn"]


class DigitsCnn:
    """A quantised network whose weights are on the device; activations never leave it.

    Raises
    ------
    DeviceMemoryError
        if device memory has no room.
    """

    def __init__(self, device: Device, network: QuantisedCnn) -> None:
        self.device = device
        self._convolutions: list[tuple[Conv2d, dict[str, Any]]] = [
            (
                Conv2d(device, layer.weight, stride=layer.stride, padding=PADDING),
                {"bias": device.array(layer.bias), "scale": device.array(layer.scale)},
            )
            for layer in network.convolutions
        ]
        self._weight, self._bias = device.array(network.weight), device.array(network.bias)

    def submit(self, images: np.ndarray | DeviceBuffer) -> DeviceBuffer:
        """Starts all layers for int8 images (B, 8, 8, 1); the buffer will hold (B, 10) int32."""
        x = images
        for convolution, parameters in self._convolutions:
            x = convolution.submit(x, relu=True, **parameters).result
        flat = x.reshape(x.shape[0], -1)
        return self.device.matmul_async(flat, self._weight, bias=self._bias).result
