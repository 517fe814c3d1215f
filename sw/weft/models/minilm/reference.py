"""The encoder in fp32 numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from .weights import LayerWeights, MiniLm

__all__ = ["encode_fp32", "pool"]


def encode_fp32(model: MiniLm, sentences: Sequence[str]) -> np.ndarray:
    """(sentences, hidden) of float32: each sentence's vector, of length 1."""
    return np.stack([pool(_hidden(model, model.tokens(sentence))) for sentence in sentences])


def pool(hidden: np.ndarray) -> np.ndarray:
    """The mean of all tokens' vectors (T, hidden), brought to length 1; float32, summed in
    float64.
    """
    mean = hidden.astype(np.float64).mean(axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


def _hidden(model: MiniLm, tokens: np.ndarray) -> np.ndarray:
    """(T, hidden) of float32: what the last layer gives."""
    x = model.words[tokens] + model.positions[: len(tokens)]
    x = _norm(x, model.embedding_norm, model.epsilon)
    for layer in model.layers:
        x = _layer(model, layer, x)
    return x


def _layer(model: MiniLm, layer: LayerWeights, x: np.ndarray) -> np.ndarray:
    query, key, value = (_heads(model, _linear(x, part)) for part in _parts(layer))
    scores = query @ key.transpose(0, 2, 1) * np.float32((model.hidden // model.heads) ** -0.5)
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    context = (weights @ value).transpose(1, 0, 2).reshape(x.shape)
    x = _norm(_linear(context, layer.project) + x, layer.attention_norm, model.epsilon)
    inner = _linear(x, layer.expand)
    inner *= ndtr(inner)
    return _norm(_linear(inner, layer.contract) + x, layer.output_norm, model.epsilon)


def _parts(layer: LayerWeights) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    return layer.query, layer.key, layer.value


def _heads(model: MiniLm, x: np.ndarray) -> np.ndarray:
    """(T, hidden) to (heads, T, hidden / heads)."""
    return x.reshape(len(x), model.heads, -1).transpose(1, 0, 2)


def _linear(x: np.ndarray, layer: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    weight, bias = layer
    return x @ weight + bias


def _norm(x: np.ndarray, layer: tuple[np.ndarray, np.ndarray], epsilon: float) -> np.ndarray:
    gamma, beta = layer
    difference = x - x.mean(axis=1, keepdims=True)
    variance = (difference * difference).mean(axis=1, keepdims=True)
    return difference / np.sqrt(variance + np.float32(epsilon)) * gamma + beta
