"""Operands for the array's blocks: zeros, random, or a layer of a trained network with its real
inputs (the digits network in int8, MiniLM in floating point).

A row of processing elements at depth r of a column sees activation k = r of every vector, its
weights, and the partial sums of the
r rows above: all are computed from the operands here, skewed as the array skews them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from weft_hw.config import FLOAT_FORMATS, FORMATS

from .float_operands import minilm_product, rounded, words

__all__ = [
    "REUSES",
    "SOURCES",
    "WARM_UP",
    "Operands",
    "array_stimulus",
    "digits_sums",
    "row_stimulus",
    "take_operands",
]

#: Where operands come from.
SOURCES = ("zeros", "random", "digits", "minilm")
#: Weights held for the whole run, or changed every R vectors, the fastest that the array allows.
REUSES = ("held", "changing")
#: Cycles at the start in which state becomes known; neither compared nor counted.
WARM_UP = 32
#: Places of an array that a stimulus visits.
_PLACES = 8
_SEED = 2026


@dataclass(frozen=True, slots=True)
class Operands:
    """``activations`` (vectors, rows) and ``weights`` (blocks, rows, cols), ``rows`` those of the
    array: int8, or float32 of numbers that bf16 can hold."""

    source: str
    format: str
    activations: np.ndarray
    weights: np.ndarray

    def partial_sums(self, row: int, block_at: np.ndarray) -> np.ndarray:
        """(vectors, cols) int64: the sums that come down to ``row``, as the bits of int32 or fp32.
        ``block_at`` (vectors,): the block of weights that each vector meets."""
        total = np.zeros((len(self.activations), self.weights.shape[2]), np.float32)
        if self.format not in FLOAT_FORMATS:
            total = total.astype(np.int64)
        for k in range(row):
            product = self.activations[:, k : k + 1].astype(total.dtype)
            total = total + product * self.weights[block_at, k].astype(total.dtype)
        if self.format in FLOAT_FORMATS:
            return total.view(np.int32).astype(np.int64)
        return total


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


def take_operands(
    source: str, format: str, rows: int, cols: int, vectors: int, blocks: int
) -> Operands:
    """Operands of a source in a format. Of ``digits``: the second layer, whose inputs are
    activations after ReLU; of ``minilm``: see ``float_operands``. Blocks of weights follow each
    other along the matrix' columns and then along K.

    Raises
    ------
    ValueError
        for an unknown source or format, or one that has no operands of the other.
    ImportError
        if the package with the weights of ``minilm`` is not installed.
    """
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, not {format!r}")
    if source == "zeros":
        kind = np.dtype(np.float32 if format in FLOAT_FORMATS else np.int8)
        return Operands(
            source, format, np.zeros((vectors, rows), kind), np.zeros((blocks, rows, cols), kind)
        )
    if source == "random":
        rng = np.random.default_rng(_SEED)
        shapes = ((vectors, rows), (blocks, rows, cols))
        numbers: list[np.ndarray]
        if format in FLOAT_FORMATS:
            numbers = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
        else:
            low = -(2 ** (FORMATS[format] - 1))
            numbers = [rng.integers(low, -low, shape, dtype=np.int8) for shape in shapes]
        return Operands(source, format, *(rounded(values, format) for values in numbers))
    if source == "digits" and format not in FLOAT_FORMATS:
        inputs, matrix = _digits_layers()[1]
        # neurons that ever fire, so that a block is typical of the layer and not of its dead units
        live = np.flatnonzero(inputs.any(axis=0))
        inputs, matrix = inputs[:, live], matrix[live]
    elif source == "minilm" and format in FLOAT_FORMATS:
        inputs, matrix = minilm_product()
    else:
        raise ValueError(f"operand source must be one of {', '.join(SOURCES)}, not {source!r}")
    return Operands(
        source,
        format,
        rounded(_tiled(inputs, vectors, rows), format, axis=1),
        np.stack([rounded(_block(matrix, rows, cols, b), format, axis=0) for b in range(blocks)]),
    )


def _tiled(inputs: np.ndarray, vectors: int, rows: int) -> np.ndarray:
    """The first ``rows`` columns, as many vectors as asked for."""
    repeats = -(-vectors // len(inputs))
    return np.tile(inputs[:, :rows], (repeats, 1))[:vectors]


def _block(matrix: np.ndarray, rows: int, cols: int, block: int) -> np.ndarray:
    """(rows, cols): block number ``block`` of a matrix, which counts as repeated."""
    across = max(1, matrix.shape[1] // cols)
    at = (block // across) * rows + np.arange(rows)
    over = (block % across) * cols + np.arange(cols)
    return matrix[at % len(matrix)][:, over % matrix.shape[1]]


def row_stimulus(
    operands: Operands, reuse: str, *, wide: bool, row: int, lead: int = WARM_UP
) -> dict[str, np.ndarray]:
    """Port values, a row a cycle, of row ``row`` of an array; ``lead`` cycles (at least 2) come
    first and load the first weights. ``wide``: in the form that arrays with floating point carry.

    ``changing`` swaps in the next block every R vectors and shifts its rows of weights through
    meanwhile, as the array does: row r
    shifts R - r of them; ``held`` keeps the first block and loads nothing.
    """
    vectors, rows = operands.activations.shape
    blocks, _, cols = operands.weights.shape
    cycles = lead + vectors
    activations, weights = (
        words(values, operands.format, wide) for values in (operands.activations, operands.weights)
    )
    activation = np.zeros(cycles, np.int64)
    activation[lead:] = activations[:, row]
    swap = np.zeros(cycles, np.int64)
    load = np.zeros(cycles, np.int64)
    shifted = np.zeros((cycles, cols), np.int64)
    load[0], shifted[0] = 1, weights[0, row]
    swap[lead - 1] = 1
    block_at = np.zeros(vectors, np.int64)
    if reuse == "changing":
        for block in range(1, -(-vectors // rows)):
            start = lead + block * rows
            # rows of weights come last first; this row passes on those of the rows below and keeps
            # its own
            for step in range(rows - row):
                at = start - (rows - row) + step
                load[at], shifted[at] = 1, weights[block % blocks, rows - 1 - step]
            swap[start - 1] = 1
            block_at[block * rows :] = block % blocks
    above = np.zeros((cycles, cols), np.int64)
    # the sum from above meets the product, a cycle after the activation
    above[lead + 1 :] = operands.partial_sums(row, block_at)[:-1]
    floats = np.full(cycles, int(operands.format in FLOAT_FORMATS), np.int64)
    return {
        "activation_i": activation,
        "swap_i": swap,
        "load_i": load,
        **({"float_i": floats} if wide else {}),
        "weights": _skewed(shifted),
        "sums": _skewed(above),
    }


def _skewed(values: np.ndarray) -> np.ndarray:
    """Column c a further c cycles late, as the wavefront reaches it."""
    result = np.zeros_like(values)
    for column in range(values.shape[1]):
        result[column:, column] = values[: len(values) - column, column]
    return result


def array_stimulus(
    source: str, format: str, reuse: str, *, rows: int, cols: int, vectors: int, wide: bool
) -> dict[str, np.ndarray]:
    """Port values of ``cols`` columns of one row, at ``_PLACES`` places of an array one after the
    other, so that the mean is over operands and depths of a column and not one pair's.
    ``WARM_UP`` cycles come first."""
    each = vectors // _PLACES
    operands = take_operands(source, format, rows, cols * _PLACES, vectors, blocks=8)
    parts = []
    for place in range(_PLACES):
        part = Operands(
            source,
            format,
            operands.activations[place * each : (place + 1) * each],
            operands.weights[:, :, place * cols : (place + 1) * cols],
        )
        row = rows * (2 * place + 1) // (2 * _PLACES)
        lead = 2 if place else WARM_UP
        parts.append(row_stimulus(part, reuse, wide=wide, row=row, lead=lead))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


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
