"""The network in int8: symmetric weights for each channel, symmetric activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from weft_sim.golden import matmul_int8, requantise, vector_int32

from ...quantise import (
    activation_scale,
    quantise,
    quantise_bias,
    quantise_weights,
    requantisation,
)
from .windows import KERNEL, unfold

__all__ = ["QuantisedCnn", "QuantisedConv", "quantise_cnn"]


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedConv:
    """A 3 x 3 convolution with a border of one pixel and ReLU: ``weight`` (3, 3, Cin, Cout) int8,
    ``bias`` (Cout,) int32 in units of the sums, ``scale`` (Cout,) float32 of the results.
    """

    weight: np.ndarray
    bias: np.ndarray
    scale: np.ndarray
    stride: int


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedCnn:
    """Convolutions, then a product: ``weight`` (K, 10) int8, ``bias`` (10,) int32; its int32 sums
    are the logits in one unit. Pixels are worth ``input_scale`` each.
    """

    convolutions: tuple[QuantisedConv, ...]
    weight: np.ndarray
    bias: np.ndarray
    input_scale: float

    def quantise(self, images: np.ndarray) -> np.ndarray:
        """Images of float as int8."""
        return quantise(images, self.input_scale)

    def reference(self, images: np.ndarray) -> np.ndarray:
        """(B, 10) int32 of int8 images (B, 8, 8, 1), bit for bit what a device computes."""
        x = images
        for layer in self.convolutions:
            sums = matmul_int8(unfold(x, layer.stride), layer.weight.reshape(-1, len(layer.bias)))
            rows = requantise(sums, layer.scale, clamp_min=0, bias=layer.bias)
            side = -(-x.shape[1] // layer.stride)
            x = rows.reshape(len(x), side, side, -1)
        return vector_int32(matmul_int8(x.reshape(len(x), -1), self.weight), self.bias)


def quantise_cnn(
    parameters: Sequence[tuple[np.ndarray, np.ndarray]],
    strides: Sequence[int],
    activations: Sequence[np.ndarray],
) -> QuantisedCnn:
    """From float weights (K, N) and biases, and what the float network gives for calibration."""
    convolutions = []
    scale = first = activation_scale(activations[0])
    for (weight, bias), stride, result in zip(parameters, strides, activations[1:], strict=False):
        int_weight, weight_scale = quantise_weights(weight)
        out_scale = activation_scale(result)
        convolutions.append(
            QuantisedConv(
                weight=int_weight.reshape(KERNEL, KERNEL, -1, weight.shape[1]),
                bias=quantise_bias(bias, scale, weight_scale),
                scale=requantisation(scale, weight_scale, out_scale),
                stride=stride,
            )
        )
        scale = out_scale
    weight, bias = parameters[-1]
    # one scale, so that sums can be compared
    int_weight, weight_scale = quantise_weights(weight, per_column=False)
    return QuantisedCnn(
        convolutions=tuple(convolutions),
        weight=int_weight,
        bias=quantise_bias(bias, scale, weight_scale),
        input_scale=first,
    )
