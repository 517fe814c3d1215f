"""Stimulus of the blocks whose energy is measured: port values by cycle, and the operations they
do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from weft_hw.config import ChipConfig

from .operands import REUSES, SOURCES, WARM_UP, digits_sums, row_stimulus, take_operands

__all__ = ["STIMULI", "Case", "Stimulus", "bits_of"]

_SEED = 2026
#: Flits of a packet in the router's traffic: a header and data.
_PACKET_FLITS = 8


@dataclass(frozen=True, slots=True)
class Case:
    """What drives a block. ``reuse`` is empty where weights have no part."""

    source: str
    reuse: str = ""

    @property
    def label(self) -> str:
        return f"{self.source}, weights {self.reuse}" if self.reuse else self.source


@dataclass(frozen=True, slots=True)
class Stimulus:
    """``operations`` are done per cycle after ``warm_up``."""

    values: dict[str, np.ndarray]
    warm_up: int
    operations: float


def bits_of(values: np.ndarray, bits: int) -> np.ndarray:
    """(cycles, lanes) integers as (cycles, lanes * bits) bool, lane 0 first, two's complement."""
    shifts = np.arange(bits, dtype=np.uint64)
    words = values.astype(np.int64).view(np.uint64)
    return ((words[:, :, None] >> shifts) & np.uint64(1)).astype(bool).reshape(len(values), -1)


def _row(config: ChipConfig, cols: int, case: Case, vectors: int) -> Stimulus:
    rows = config.tile.array_rows
    operands = take_operands(case.source, rows, cols, vectors, blocks=8)
    values = row_stimulus(operands, case.reuse)
    weights, sums = values.pop("weights"), values.pop("sums")
    values["weights_i"] = bits_of(weights, 8)
    values["sums_i"] = bits_of(sums, config.tile.column_sum_bits)
    return Stimulus(values, WARM_UP, cols)


def _pe(config: ChipConfig, cols: int, case: Case, vectors: int) -> Stimulus:
    row = _row(config, 1, case, vectors)
    values = dict(row.values)
    values["weight_i"], values["sum_i"] = values.pop("weights_i"), values.pop("sums_i")
    return Stimulus(values, row.warm_up, 1)


def _lane(config: ChipConfig, cols: int, case: Case, vectors: int) -> Stimulus:
    cycles = WARM_UP + vectors
    ones = np.ones(cycles, np.int64)
    values = {name: ones for name in ("take", "keep_sum", "enable", "keep")}
    values["clamp_max"], values["clamp_min"] = 127 * ones, 0 * ones
    if case.source == "zeros":
        sums, bias, scale = 0 * ones, 0 * ones, 0 * ones
    elif case.source == "random":
        rng = np.random.default_rng(_SEED)
        sums, bias = (rng.integers(-(2**20), 2**20, cycles) for _ in range(2))
        scale = np.full(cycles, np.float32(2.0**-13)).view(np.uint32).astype(np.int64)
    else:
        layer_sums, layer_bias, layer_scale = digits_sums()
        # a lane serves one column after another's rows: vectors of one column in order
        columns = np.arange(cycles) // len(layer_sums) % layer_sums.shape[1]
        sums = layer_sums[np.arange(cycles) % len(layer_sums), columns]
        bias = layer_bias[columns]
        scale = layer_scale.view(np.uint32)[columns].astype(np.int64)
    values |= {"accumulator": sums, "bias": bias, "scale": scale}
    return Stimulus(values, WARM_UP, 1)


def _router(config: ChipConfig, cols: int, case: Case, vectors: int) -> Stimulus:
    """Packets straight through: west to east, east to west, north to south, south to north, a flit
    each and cycle."""
    cycles = WARM_UP + vectors
    rng = np.random.default_rng(_SEED)
    ones = np.ones(cycles, np.int64)
    values = {"rst": (np.arange(cycles) < 4).astype(np.int64), "x": ones, "y": ones}
    started = (np.arange(cycles) >= 8).astype(np.int64)
    # destination: x, y (4 bits each), port (local)
    ways = {"west": (3, 1), "east": (0, 1), "north": (1, 3), "south": (1, 0)}
    active = 0.0
    for port in ("local", *ways):
        values[f"o_{port}__ready"] = ones
        if port not in ways or case.source == "idle":
            continue
        x, y = ways[port]
        shape = (cycles, 8 * config.flit_bytes)
        flits = rng.random(shape) < (0.5 if case.source == "random" else 0.0)
        head = np.arange(cycles) % _PACKET_FLITS == 0
        flits[head, :11] = bits_of(np.array([[x | y << 4]]), 11)[0]
        last = np.arange(cycles) % _PACKET_FLITS == _PACKET_FLITS - 1
        values[f"i_{port}__payload"] = np.concatenate([flits, last[:, None]], axis=1)
        values[f"i_{port}__valid"] = started
        active += 1
    return Stimulus(values, WARM_UP, active or 1)


_ARRAY_CASES = tuple(Case(source, reuse) for source in SOURCES for reuse in REUSES)

#: Block -> its cases and what makes the stimulus (config, cols, case, vectors).
STIMULI: dict[str, tuple[tuple[Case, ...], Callable[[ChipConfig, int, Case, int], Stimulus]]] = {
    "pe": (_ARRAY_CASES, _pe),
    "row": (_ARRAY_CASES, _row),
    "lane": (tuple(Case(source) for source in SOURCES), _lane),
    "router": ((Case("idle"), Case("zeros"), Case("random")), _router),
}
