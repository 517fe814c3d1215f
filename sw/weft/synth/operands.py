"""Operands for the array's blocks: zeros, random, or a layer of a trained network with its real
images.

A row of processing elements at depth r of a column sees activation k = r of every vector, its
weights, and the partial sums of the
r rows above: all are computed from the operands here, skewed as the array skews them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

__all__ = [
    "REUSES",
    "SOURCES",
    "WARM_UP",
    "Operands",
    "digits_sums",
    "row_stimulus",
    "take_operands",
]

#: Where operands come from.
SOURCES = ("zeros", "random", "digits")
#: Weights held for the whole run, or changed every R vectors, the fastest that the array allows.
REUSES = ("held", "changing")
#: Cycles at the start in which state becomes known; neither compared nor counted.
WARM_UP = 32
_SEED = 2026


@dataclass(frozen=True, slots=True)
class Operands:
    """``activations`` (vectors, rows) int8; ``weights`` (blocks, rows, cols) int8, ``rows`` those
    of the array."""

    source: str
    activations: np.ndarray
    weights: np.ndarray


@cache
def _digits_layers() -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each layer of the digits network: its int8 inputs (images, K) for the held-out images, its
    weights (K, N)."""
    from ..demo.digits import train_digits
    from ..quantise import reference

    network = train_digits()
    inputs, layers = network.images, []
    for index, layer in enumerate(network.layers):
        layers.append((inputs, np.asarray(layer.weight)))
        if index + 1 < len(network.layers):
            inputs = reference(network.layers[index : index + 1], inputs)
    return layers


def take_operands(source: str, rows: int, cols: int, vectors: int, blocks: int) -> Operands:
    """Operands of a source. Of ``digits``: the second layer, whose inputs are activations after
    ReLU; blocks of weights
    follow each other along its columns and then along K.

    Raises
    ------
    ValueError
        for an unknown source.
    """
    if source == "zeros":
        activations = np.zeros((vectors, rows), np.int8)
        return Operands(source, activations, np.zeros((blocks, rows, cols), np.int8))
    if source == "random":
        rng = np.random.default_rng(_SEED)
        activations = rng.integers(-128, 128, (vectors, rows), dtype=np.int8)
        weights = rng.integers(-128, 128, (blocks, rows, cols), dtype=np.int8)
        return Operands(source, activations, weights)
    if source == "digits":
        inputs, matrix = _digits_layers()[1]
        # neurons that ever fire, so that a block is typical of the layer and not of its dead units
        live = np.flatnonzero(inputs.any(axis=0))[:rows]
        repeats = -(-vectors // len(inputs))
        across = matrix.shape[1] // cols
        weights = np.stack(
            [
                np.roll(matrix, -rows * (block // across), axis=0)[live][
                    :, (block % across) * cols : (block % across + 1) * cols
                ]
                for block in range(blocks)
            ]
        )
        return Operands(source, np.tile(inputs[:, live], (repeats, 1))[:vectors], weights)
    raise ValueError(f"operand source must be one of {', '.join(SOURCES)}, not {source!r}")


def row_stimulus(operands: Operands, reuse: str) -> dict[str, np.ndarray]:
    """Port values, a row a cycle, of the middle row of an array; ``WARM_UP`` cycles come first and
    load the first weights.

    ``changing`` swaps in the next block every R vectors and shifts its rows of weights through
    meanwhile, as the array does: row r
    shifts R - r of them; ``held`` keeps the first block and loads nothing.
    """
    vectors, rows = operands.activations.shape
    blocks, _, cols = operands.weights.shape
    row = rows // 2
    cycles = WARM_UP + vectors
    activation = np.zeros(cycles, np.int64)
    activation[WARM_UP:] = operands.activations[:, row]
    swap = np.zeros(cycles, np.int64)
    load = np.zeros(cycles, np.int64)
    shifted = np.zeros((cycles, cols), np.int64)
    load[0], shifted[0] = 1, operands.weights[0, row]
    swap[WARM_UP - 1] = 1
    block_at = np.zeros(vectors, np.int64)
    if reuse == "changing":
        for block in range(1, -(-vectors // rows)):
            start = WARM_UP + block * rows
            # rows of weights come last first; this row passes on those of the rows below and keeps
            # its own
            for step in range(rows - row):
                at = start - (rows - row) + step
                load[at], shifted[at] = 1, operands.weights[block % blocks, rows - 1 - step]
            swap[start - 1] = 1
            block_at[block * rows :] = block % blocks
    above = np.zeros((cycles, cols), np.int64)
    partial = np.einsum(
        "vk,vkc->vc",
        operands.activations[:, :row].astype(np.int64),
        operands.weights[block_at][:, :row].astype(np.int64),
    )
    # the sum from above meets the product, a cycle after the activation
    above[WARM_UP + 1 :] = partial[:-1]
    return {
        "activation_i": activation,
        "swap_i": swap,
        "load_i": load,
        "weights": _skewed(shifted),
        "sums": _skewed(above),
    }


def _skewed(values: np.ndarray) -> np.ndarray:
    """Column c a further c cycles late, as the wavefront reaches it."""
    result = np.zeros_like(values)
    for column in range(values.shape[1]):
        result[column:, column] = values[: len(values) - column, column]
    return result


@cache
def digits_sums() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the second layer of the digits network: sums (images, N) int32 as the vector engine gets
    them, bias (N,) int32,
    scale (N,) float32."""
    from weft_sim.golden import matmul_int8

    from ..demo.digits import train_digits

    layer = train_digits().layers[1]
    inputs, weight = _digits_layers()[1]
    assert layer.scale is not None
    return matmul_int8(inputs, weight), layer.bias, layer.scale
