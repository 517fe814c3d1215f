"""Stimulus of the blocks whose energy is measured: port values by cycle, and the operations they
do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from weft_hw.config import ChipConfig

from .operands import REUSES, WARM_UP, array_stimulus, digits_sums

__all__ = ["STIMULI", "Case", "Stimulus", "bits_of"]

_SEED = 2026
#: Flits of a packet in the router's traffic: a header and data.
_PACKET_FLITS = 8


@dataclass(frozen=True, slots=True)
class Case:
    """What drives a block. ``reuse`` is empty where weights have no part, ``format`` where the
    block knows one only."""

    source: str
    reuse: str = ""
    format: str = ""

    @property
    def label(self) -> str:
        parts = [self.format, self.source, f"weights {self.reuse}" if self.reuse else ""]
        return ", ".join(filter(None, parts))

    @property
    def key(self) -> str:
        """For tables."""
        return "_".join(filter(None, (self.format, self.source, self.reuse)))


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


def _array(
    config: ChipConfig, cols: int, case: Case, vectors: int, *, wide: bool
) -> dict[str, np.ndarray]:
    return array_stimulus(
        case.source, case.format, case.reuse,
        rows=config.tile.array_rows, cols=cols, vectors=vectors, wide=wide,
    )  # fmt: skip


def _row(config: ChipConfig, cols: int, case: Case, vectors: int) -> Stimulus:
    values = _array(config, cols, case, vectors, wide=False)
    values["weights_i"] = bits_of(values.pop("weights"), 8)
    values["sums_i"] = bits_of(values.pop("sums"), config.tile.column_sum_bits)
    return Stimulus(values, WARM_UP, cols)


def _pe(config: ChipConfig, cols: int, case: Case, vectors: int) -> Stimulus:
    values = _array(config, 1, case, vectors, wide=False)
    values["weight_i"], values["sum_i"] = values.pop("weights")[:, 0], values.pop("sums")[:, 0]
    return Stimulus(values, WARM_UP, 1)


def _pe_float(config: ChipConfig, cols: int, case: Case, vectors: int) -> Stimulus:
    values = _array(config, 1, case, vectors, wide=True)
    values["weight_i"], values["sum_i"] = values.pop("weights")[:, 0], values.pop("sums")[:, 0]
    return Stimulus(values, WARM_UP, 1)


#: Operations of the processor's arithmetic that are measured, and the unit they use.
_ALU_UNITS = {"add": "ADD", "multiply": "MULTIPLY", "to_int": "TO_INT", "to_float": "TO_FLOAT"}


def _alu(config: ChipConfig, cols: int, case: Case, vectors: int) -> Stimulus:
    """One operation of the processor a cycle, on normal numbers (``source`` is the operation)."""
    from weft_hw.vector.processor.control import LaneOp, Result

    cycles = WARM_UP + vectors
    rng = np.random.default_rng(_SEED)
    a, b = (
        (rng.standard_normal(cycles) * 8).astype(np.float32).view(np.int32).astype(np.int64)
        for _ in range(2)
    )
    if case.source == "idle":
        zeros = np.zeros(cycles, np.int64)
        return Stimulus({"a": zeros, "b": zeros}, WARM_UP, 1)
    if case.source == "to_float":
        b = rng.integers(-(2**20), 2**20, cycles)
    # UnitEnables: simple, add, to_int, multiply, to_float from bit 0 on
    enables = {"maximum": 1, "add": 3, "to_int": 5, "multiply": 9, "to_float": 17}
    names = {"maximum": "MAXIMUM", **_ALU_UNITS}
    result = Result[_ALU_UNITS.get(case.source, "SIMPLE")].value
    ones = np.ones(cycles, np.int64)
    values = {
        "a": a, "b": b, "op": ones * LaneOp[names[case.source]].value,
        "enable": ones * enables[case.source], "early": ones * result, "late": ones * result,
    }  # fmt: skip
    return Stimulus(values, WARM_UP, 1)


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


def _cases(format: str, real: str) -> tuple[Case, ...]:
    sources = ("zeros", "random", real)
    return tuple(Case(source, reuse, format) for source in sources for reuse in REUSES)


_INT8_CASES = (*_cases("int8", "digits"), Case("digits", "held", "int4"))
_FLOAT_CASES = (
    *(case for case in _cases("bf16", "minilm") if case.source != "zeros" or case.reuse == "held"),
    *(Case(source, "held", "fp8e4m3") for source in ("random", "minilm")),
    Case("minilm", "held", "fp8e5m2"),
    Case("minilm", "held", "mxfp8"),
    *(Case(source, "held", "int8") for source in ("random", "digits")),
    Case("digits", "held", "int4"),
)
_ALU_CASES = ("idle", "maximum", "add", "multiply", "to_int", "to_float")

#: Block -> its cases and what makes the stimulus (config, cols, case, vectors).
STIMULI: dict[str, tuple[tuple[Case, ...], Callable[[ChipConfig, int, Case, int], Stimulus]]] = {
    "pe": (_INT8_CASES, _pe),
    "pe_float": (_FLOAT_CASES, _pe_float),
    "row": (_INT8_CASES, _row),
    "lane": (tuple(map(Case, ("zeros", "random", "digits"))), _lane),
    "alu": (tuple(map(Case, _ALU_CASES)), _alu),
    "router": (tuple(map(Case, ("idle", "zeros", "random"))), _router),
}
