"""A small encoder with random weights, for tests that need no package."""

from types import SimpleNamespace

import numpy as np
from weft.models.minilm import LayerWeights, MiniLm

__all__ = ["HIDDEN", "small_minilm"]

HIDDEN, _HEADS, _INNER, _VOCABULARY, _LONGEST = 40, 4, 64, 50, 24


class _Letters:
    """A tokenizer: one token for each letter."""

    def encode(self, sentence: str) -> SimpleNamespace:
        return SimpleNamespace(ids=[ord(letter) % _VOCABULARY for letter in sentence])


def small_minilm(layers: int = 2) -> MiniLm:
    """40 columns, which are no multiple of 16, 4 heads of 10, 24 positions."""
    rng = np.random.default_rng(11)

    def random(*shape: int, scale: float) -> np.ndarray:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    def linear(k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        return random(k, n, scale=k**-0.5), random(n, scale=0.1)

    def norm() -> tuple[np.ndarray, np.ndarray]:
        return 1 + random(HIDDEN, scale=0.1), random(HIDDEN, scale=0.1)

    return MiniLm(
        words=random(_VOCABULARY, HIDDEN, scale=1.0),
        positions=random(_LONGEST, HIDDEN, scale=0.3),
        embedding_norm=norm(),
        layers=tuple(
            LayerWeights(
                query=linear(HIDDEN, HIDDEN),
                key=linear(HIDDEN, HIDDEN),
                value=linear(HIDDEN, HIDDEN),
                project=linear(HIDDEN, HIDDEN),
                attention_norm=norm(),
                expand=linear(HIDDEN, _INNER),
                contract=linear(_INNER, HIDDEN),
                output_norm=norm(),
            )
            for _ in range(layers)
        ),
        heads=_HEADS,
        epsilon=1e-12,
        tokenizer=_Letters(),
    )
