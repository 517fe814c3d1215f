"""int8 quantisation of small networks, in numpy: symmetric weights for each column, symmetric
activations.

A real value is ``scale * q`` with ``q`` an int8 of -127 to 127. Weights have a scale for each
column (output), activations one for the whole tensor, from data. A layer then computes ``q_y =
round((q_x @ q_w + q_b) * scale_x * scale_w / scale_y)``, which is what the vector engine does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from weft_sim.golden import matmul_int8, requantise, vector_int32

from .microscaling import MxArray, mx

__all__ = [
    "MxArray",
    "QuantisedLayer",
    "activation_scale",
    "dequantise",
    "mx",
    "quantise",
    "quantise_bias",
    "quantise_mlp",
    "quantise_weights",
    "reference",
    "requantisation",
]

_LARGEST = 127


def _real(array: np.ndarray, what: str, dimensions: int) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        raise TypeError(f"{what} must be a numpy array of floats, not {array!r}")
    if array.ndim != dimensions or array.size == 0:
        raise ValueError(f"{what} must have {dimensions} non-empty dimensions, not {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite, not NaN or infinite")
    return array


def quantise_weights(
    weights: np.ndarray, *, per_column: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (K, N) of float to int8 (K, N) and their scales (N,) of float32.

    With ``per_column`` false all columns share one scale, so that int32 sums can be compared across
    columns.

    >>> q, scale = quantise_weights(np.array([[1.0, -0.5], [0.25, 0.2]]))
    >>> q.tolist(), (scale * 127).tolist()
    ([[127, -127], [32, 51]], [1.0, 0.5])
    """
    weights = _real(weights, "weights", 2)
    largest = np.abs(weights).max(axis=0) if per_column else np.abs(weights).max()
    largest = np.broadcast_to(largest, weights.shape[1:])
    # a column of zeros has any scale
    scale = (np.where(largest > 0, largest, 1.0) / _LARGEST).astype(np.float32)
    return quantise(weights, scale), scale


def activation_scale(values: np.ndarray) -> float:
    """The scale that brings the largest of ``values`` (floats, any shape) to 127."""
    values = _real(values.reshape(-1), "values", 1)
    largest = float(np.abs(values).max())
    return (largest or 1.0) / _LARGEST


def quantise(values: np.ndarray, scale: float | np.ndarray) -> np.ndarray:
    """``round(values / scale)``, ties to even, limited to -127..127, as int8."""
    return np.clip(np.rint(values / scale), -_LARGEST, _LARGEST).astype(np.int8)


def dequantise(values: np.ndarray, scale: float | np.ndarray) -> np.ndarray:
    """``values * scale`` as float32."""
    return (values * np.asarray(scale, dtype=np.float64)).astype(np.float32)


def quantise_bias(bias: np.ndarray, x_scale: float, weight_scale: np.ndarray) -> np.ndarray:
    """A bias (N,) of float in units of the sums: ``round(bias / (x_scale weight_scale))``,
    int32.
    """
    units = np.rint(_real(bias, "bias", 1) / (x_scale * weight_scale.astype(np.float64)))
    limits = np.iinfo(np.int32)
    return np.clip(units, limits.min, limits.max).astype(np.int32)


def requantisation(x_scale: float, weight_scale: np.ndarray, y_scale: float) -> np.ndarray:
    """What sums are multiplied with to become the next layer's int8: float32 (N,)."""
    return (x_scale * weight_scale.astype(np.float64) / y_scale).astype(np.float32)


@dataclass(frozen=True, slots=True)
class QuantisedLayer:
    """A linear layer in int8. ``scale`` (N,) float32; None leaves int32 sums, worth
    ``output_scale`` each.
    """

    weight: np.ndarray
    bias: np.ndarray
    scale: np.ndarray | None
    relu: bool
    input_scale: float
    output_scale: float


def quantise_mlp(
    weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], calibration: np.ndarray
) -> list[QuantisedLayer]:
    """A multilayer perceptron (ReLU between layers) from its float weights (K, N) and biases (N,).

    Activation scales come from running ``calibration`` (samples, K) through the float network. The
    last layer gives int32 sums with one scale, whose largest is the network's answer.

    Raises
    ------
    ValueError
        if there are no layers, or not a bias for each.
    """
    if not weights or len(weights) != len(biases):
        raise ValueError(
            "weights and biases must be as many and at least one, "
            f"not {len(weights)} and {len(biases)}"
        )
    x = _real(calibration, "calibration", 2)
    layers = []
    x_scale = activation_scale(x)
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        last = number == len(weights) - 1
        x = x @ weight + bias
        if not last:
            x = np.maximum(x, 0)
        quantised, weight_scale = quantise_weights(weight, per_column=not last)
        y_scale = x_scale * float(weight_scale[0]) if last else activation_scale(x)
        layers.append(
            QuantisedLayer(
                weight=quantised,
                bias=quantise_bias(bias, x_scale, weight_scale),
                scale=None if last else requantisation(x_scale, weight_scale, y_scale),
                relu=not last,
                input_scale=x_scale,
                output_scale=y_scale,
            )
        )
        x_scale = y_scale
    return layers


def reference(layers: Sequence[QuantisedLayer], x: np.ndarray) -> np.ndarray:
    """What the device must compute for int8 ``x`` (samples, K), bit for bit."""
    for layer in layers:
        sums = matmul_int8(x, layer.weight)
        if layer.scale is None:
            x = vector_int32(sums, layer.bias)
        else:
            low = 0 if layer.relu else -128
            x = requantise(sums, layer.scale, clamp_min=low, bias=layer.bias)
    return x
