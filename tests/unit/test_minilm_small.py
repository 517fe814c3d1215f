"""The encoder's two forms on a small model with random weights: no package is needed."""

from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
from weft.models.minilm import LayerWeights, MiniLm, encode_bf16, encode_fp32, hidden_bf16
from weft.models.minilm import weights as weights_module
from weft.models.minilm.weights import load_minilm

_HIDDEN, _HEADS, _INNER, _VOCABULARY, _LONGEST = 40, 4, 64, 50, 24


class _Letters:
    """A tokenizer: one token for each letter."""

    def encode(self, sentence: str) -> SimpleNamespace:
        return SimpleNamespace(ids=[ord(letter) % _VOCABULARY for letter in sentence])


@pytest.fixture(scope="module")
def model() -> MiniLm:
    rng = np.random.default_rng(11)

    def random(*shape: int, scale: float) -> np.ndarray:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    def linear(k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        return random(k, n, scale=k**-0.5), random(n, scale=0.1)

    def norm() -> tuple[np.ndarray, np.ndarray]:
        return 1 + random(_HIDDEN, scale=0.1), random(_HIDDEN, scale=0.1)

    layers = tuple(
        LayerWeights(
            query=linear(_HIDDEN, _HIDDEN),
            key=linear(_HIDDEN, _HIDDEN),
            value=linear(_HIDDEN, _HIDDEN),
            project=linear(_HIDDEN, _HIDDEN),
            attention_norm=norm(),
            expand=linear(_HIDDEN, _INNER),
            contract=linear(_INNER, _HIDDEN),
            output_norm=norm(),
        )
        for _ in range(2)
    )
    return MiniLm(
        words=random(_VOCABULARY, _HIDDEN, scale=1.0),
        positions=random(_LONGEST, _HIDDEN, scale=0.3),
        embedding_norm=norm(),
        layers=layers,
        heads=_HEADS,
        epsilon=1e-12,
        tokenizer=_Letters(),
    )


@pytest.mark.parametrize("lanes", [8, 16])
def test_bf16_is_close_to_fp32(model: MiniLm, lanes: int) -> None:
    """Fewer tokens than lanes, as many, and more; columns that are no multiple of 16."""
    sentences = ["short", "sixteen letters.", "one more than a block"]
    want = encode_fp32(model, sentences)
    got = encode_bf16(model, sentences, lanes=lanes)
    np.testing.assert_allclose(np.linalg.norm(want, axis=1), 1, rtol=1e-6)
    assert (np.sum(want * got, axis=1) >= 0.9995).all()


def test_hidden_is_bf16(model: MiniLm) -> None:
    got = hidden_bf16(model, model.tokens("a"), lanes=8)
    assert got.dtype == ml_dtypes.bfloat16
    assert got.shape == (1, _HIDDEN)


def test_sentences_are_checked(model: MiniLm) -> None:
    with pytest.raises(TypeError, match="sentence must be a string, not 5"):
        model.tokens(5)
    with pytest.raises(ValueError, match="sentence must have at most 24 tokens, not 30; split it"):
        model.tokens("x" * 30)


def test_weights_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_module, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"install weft\[minilm\]"):
        load_minilm()
