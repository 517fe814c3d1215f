"""The encoder in bf16, bit for bit as a device of ``lanes`` rows and columns computes it.

Activations and weights are bf16, biases and norms' parameters fp32; a product's fp32 sums go
through one microprogram to bf16. A layer, T tokens::

    qkv      = epilogue(x Wqkv, bias)                       (T, 3 hidden)
    scores   = q k^T for each head, fp32 in the accumulators
    weights  = softmax(scores / sqrt(head size))
    context  = weights v for each head
    y        = layer_norm(epilogue(context Wo, bias, residual x))
    inner    = epilogue(y W1, bias, GELU)
    x        = layer_norm(epilogue(inner W2, bias, residual y))
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import ml_dtypes
import numpy as np
from weft_hw.formats.table import Format
from weft_sim.golden import matmul_float

from ...kernels import vector
from ...microcode import Program, emulate
from .reference import pool
from .weights import MiniLm

__all__ = ["encode_bf16", "hidden_bf16"]

_BF16 = np.dtype(ml_dtypes.bfloat16)
#: Smallest normal number of bf16: what is below counts as zero.
_SMALLEST = np.float32(2.0**-126)


def encode_bf16(model: MiniLm, sentences: Sequence[str], *, lanes: int = 16) -> np.ndarray:
    """(sentences, hidden) of float32: each sentence's vector, of length 1; pooled in float64."""
    engine = _Engine(model, lanes)
    return np.stack([pool(_hidden(engine, model.tokens(text))) for text in sentences])


def hidden_bf16(model: MiniLm, tokens: np.ndarray, *, lanes: int = 16) -> np.ndarray:
    """(T, hidden) of bf16: what the last layer gives for ``tokens`` (T,)."""
    return _hidden(_Engine(model, lanes), tokens)


def _hidden(engine: _Engine, tokens: np.ndarray) -> np.ndarray:
    model = engine.model
    words, positions = _bf16(model.words[tokens]), _bf16(model.positions[: len(tokens)])
    x = engine.norm(engine.add(words, positions), model.embedding_norm)
    for layer in model.layers:
        qkv = engine.linear(x, layer.joined)
        context = np.concatenate(
            [engine.attend(*part) for part in _heads(qkv, model.heads)], axis=1
        )
        y = engine.norm(engine.linear(context, layer.project, residual=x), layer.attention_norm)
        inner = engine.linear(y, layer.expand, activation="gelu")
        x = engine.norm(engine.linear(inner, layer.contract, residual=y), layer.output_norm)
    return x


def _bf16(values: np.ndarray) -> np.ndarray:
    return values.astype(_BF16)


def _heads(qkv: np.ndarray, heads: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Query, key and value (T, head size) of each head."""
    query, key, value = (np.split(part, heads, axis=1) for part in np.split(qkv, 3, axis=1))
    return list(zip(query, key, value, strict=True))


@lru_cache(maxsize=16)
def _epilogue(activation: str | None, residual: bool) -> Program:
    side = "after" if residual else None
    return vector.epilogue(bias=True, activation=activation, residual=side, out=Format.BF16)


@lru_cache(maxsize=16)
def _softmax(lanes: int, one_block: bool) -> Program:
    return vector.softmax(lanes, scale=True, one_block=one_block, fast=True)


class _Engine:
    """Products and row programs of one width; keeps the model's weights as operands."""

    def __init__(self, model: MiniLm, lanes: int) -> None:
        self.model, self.lanes = model, lanes
        self._scale = (model.hidden // model.heads) ** -0.5
        self._norm = vector.layer_norm(lanes, ragged=model.hidden % lanes != 0, fast=True)
        self._add = vector.add()
        self._weights: dict[int, np.ndarray] = {}

    def product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Sums, float32, of operands as the array sees them."""
        return matmul_float(a, b, rows=self.lanes)

    def add(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return emulate(self._add, {"x": x, "y": y}, {"out": _BF16}, lanes=self.lanes)["out"]

    def _weight(self, weight: np.ndarray) -> np.ndarray:
        if id(weight) not in self._weights:
            self._weights[id(weight)] = _operand(_bf16(weight))
        return self._weights[id(weight)]

    def linear(
        self,
        x: np.ndarray,
        layer: tuple[np.ndarray, np.ndarray],
        *,
        activation: str | None = None,
        residual: np.ndarray | None = None,
    ) -> np.ndarray:
        weight, bias = layer
        inputs = {"acc": self.product(_operand(x), self._weight(weight)), "bias": bias}
        if residual is not None:
            inputs["residual"] = residual
        program = _epilogue(activation, residual is not None)
        return emulate(program, inputs, {"out": _BF16}, lanes=self.lanes)["out"]

    def attend(self, query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
        program = _softmax(self.lanes, len(key) <= self.lanes)
        scores = {"x": self.product(_operand(query), _operand(key.T))}
        weights = emulate(program, scores, {"out": _BF16}, scalars={"scale": self._scale})["out"]
        # "finish", a conversion: one rounding to bf16
        sums = self.product(_operand(weights), _operand(value))
        return _operand(sums).astype(_BF16)

    def norm(self, x: np.ndarray, layer: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        gamma, beta = layer
        columns = x.shape[1]
        scalars = {"inverse_n": 1 / columns, "epsilon": self.model.epsilon, "n": columns}
        inputs = {"x": x, "gamma": gamma, "beta": beta}
        return emulate(self._norm, inputs, {"out": _BF16}, scalars=scalars)["out"]


def _operand(values: np.ndarray) -> np.ndarray:
    """bf16 or fp32 numbers as lanes see them: float32 without subnormal numbers."""
    wide = np.ascontiguousarray(values).astype(np.float32)
    return np.where(np.abs(wide) < _SMALLEST, np.copysign(np.float32(0), wide), wide)
