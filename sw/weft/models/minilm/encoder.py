"""The encoder on a device: weights stay there, activations never leave it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np

from .reference import pool
from .weights import LayerWeights, MiniLm

if TYPE_CHECKING:
    from ...buffer import DeviceBuffer
    from ...device import Device

__all__ = ["MiniLmEncoder"]

_BF16 = ml_dtypes.bfloat16
#: Products of a layer, and its norms.
_PRODUCTS = ("query", "key", "value", "project", "expand", "contract")
_NORMS = ("attention_norm", "output_norm")


class MiniLmEncoder:
    """all-MiniLM-L6-v2 in bf16, bit for bit ``hidden_bf16`` with the device's number of lanes.

    The host only turns sentences into tokens, and takes the mean over tokens, in float64.

    Parameters
    ----------
    device : Device
        with bf16, a vector processor, a transposing load, and 45 MB for weights and tables.
    model : MiniLm

    Raises
    ------
    DeviceMemoryError
        if device memory has no room.
    """

    def __init__(self, device: Device, model: MiniLm) -> None:
        self.device, self.model = device, model
        self._layers = [self._placed(layer) for layer in model.layers]
        self._words = device.array(model.words.astype(_BF16))
        self._positions = device.array(model.positions.astype(_BF16))
        self._embedding_norm = tuple(device.array(part) for part in model.embedding_norm)

    def _placed(self, layer: LayerWeights) -> dict[str, tuple[DeviceBuffer, DeviceBuffer]]:
        placed = {}
        for name in _PRODUCTS:
            weight, bias = getattr(layer, name)
            placed[name] = self.device.array(weight.astype(_BF16)), self.device.array(bias)
        for name in _NORMS:
            gamma, beta = getattr(layer, name)
            placed[name] = self.device.array(gamma), self.device.array(beta)
        return placed

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """(sentences, hidden) of float32: each sentence's vector, of length 1."""
        return np.stack(
            [pool(self.hidden(self.model.tokens(sentence)).numpy()) for sentence in sentences]
        )

    def hidden(self, tokens: np.ndarray) -> DeviceBuffer:
        """(T, hidden) of bf16 for ``tokens`` (T,): what the last layer gives. All kernels are
        submitted at once, on chips of one tile as one batch (``Device.batch``).
        """
        with self.device.batch():
            return self._hidden(tokens)

    def _hidden(self, tokens: np.ndarray) -> DeviceBuffer:
        device, model = self.device, self.model
        words = device.gather(self._words, tokens.astype(np.int32))
        positions = self._positions[: len(tokens)]
        x = self._norm(device.add(words, positions), self._embedding_norm)
        for layer in self._layers:
            query, key, value = (
                self._linear(x, layer[name]).reshape(1, *x.shape)
                for name in ("query", "key", "value")
            )
            context = device.attention(query, key, value, heads=model.heads).reshape(*x.shape)
            projected = self._linear(context, layer["project"], residual=x)
            y = self._norm(projected, layer["attention_norm"])
            inner = self._linear(y, layer["expand"], activation="gelu")
            contracted = self._linear(inner, layer["contract"], residual=y)
            x = self._norm(contracted, layer["output_norm"])
        return x

    def _linear(
        self,
        x: DeviceBuffer,
        layer: tuple[DeviceBuffer, DeviceBuffer],
        *,
        activation: str | None = None,
        residual: DeviceBuffer | None = None,
    ) -> DeviceBuffer:
        weight, bias = layer
        event = self.device.matmul_async(
            x, weight, bias=bias, activation=activation, residual=residual, out_dtype=_BF16
        )
        return event.result

    def _norm(self, x: DeviceBuffer, layer: tuple[DeviceBuffer, ...]) -> DeviceBuffer:
        gamma, beta = layer
        return self.device.layer_norm(x, gamma, beta, epsilon=self.model.epsilon)
