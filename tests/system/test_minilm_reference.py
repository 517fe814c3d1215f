"""MiniLM-L6 with its real weights: the bf16 encoder against fp32. Needs the extra ``minilm``."""

import numpy as np
import pytest
from weft.models.minilm import MiniLm, encode_bf16, encode_fp32, load_minilm

SENTENCES = [
    "The cat sits on the warm windowsill.",
    "A kitten is resting by the window.",
    "Stock markets fell sharply after the announcement.",
    "Shares dropped steeply following the news.",
    "How do I bake sourdough bread at home?",
    "The recipe needs flour, water, salt and a starter.",
    "The spacecraft entered orbit around Mars.",
    "NASA's probe reached the red planet yesterday.",
    "He plays the violin in a small orchestra.",
    "Matrix multiplication dominates the cost of neural networks.",
]
#: Sentences of the list that say the same.
PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7)]
#: Similarities closer than this are a tie in bf16: twice the largest difference measured, 0.0012.
TIE = 0.0025


@pytest.fixture(scope="module")
def model() -> MiniLm:
    return load_minilm()


@pytest.fixture(scope="module")
def fp32(model: MiniLm) -> np.ndarray:
    return encode_fp32(model, SENTENCES)


@pytest.fixture(scope="module")
def bf16(model: MiniLm) -> np.ndarray:
    return encode_bf16(model, SENTENCES)


def test_tokens(model: MiniLm) -> None:
    """[CLS], the words, [SEP], as BERT's vocabulary numbers them."""
    assert model.tokens("Hello, world!").tolist() == [101, 7592, 1010, 2088, 999, 102]


def test_fp32_knows_what_belongs_together(fp32: np.ndarray) -> None:
    similar = fp32 @ fp32.T - 2 * np.eye(len(SENTENCES))
    for one, other in PAIRS:
        assert similar[one].argmax() == other
        assert similar[other].argmax() == one


@pytest.mark.slow
def test_bf16_points_the_same_way(fp32: np.ndarray, bf16: np.ndarray) -> None:
    """Cosine of at least 0.9999 for each sentence (0.99996 measured; 0.999 is asked for)."""
    assert np.sum(fp32 * bf16, axis=1).min() >= 0.9999


@pytest.mark.slow
def test_ranking_of_pairs_is_kept(fp32: np.ndarray, bf16: np.ndarray) -> None:
    """All 45 pairs in the same order, but for ties."""
    one, other = np.triu_indices(len(SENTENCES), 1)
    wanted, got = ((part @ part.T)[one, other] for part in (fp32, bf16))
    order = wanted[:, None] - wanted[None] > TIE
    assert (got[:, None] > got[None])[order].all()
