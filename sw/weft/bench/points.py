"""Points of the cycle model: a random program on a random memory, by the model and by the RTL."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.target import Target

from ..gemm import gemm_report
from ..targets import open_target, resolve_config
from .programs import (
    MEMORY_BYTES,
    Outcome,
    Program,
    product_program,
    random_program,
    run_program,
)

__all__ = [
    "DEFAULT_PRESETS",
    "Point",
    "PointRow",
    "compare",
    "config_of",
    "measure",
    "random_dram",
]

LATENCIES = (1, 5, 20, 60, 100, 200, 400)
RATES = (1, 2, 4, 8, 16, 32)
STALLS = (0.05, 0.3, 0.7)
#: Sizes of products: up to two to this power, evenly in the logarithm.
_LOG2_SIZE = 7.5
#: Rounds of a few commands each that a program has on every tile.
_ROUNDS = 3
#: `quad` with int8 alone: builds and runs in a fraction of the time, and what a mesh is about is
#: all there.
_QUAD8 = "quad8"
DEFAULT_PRESETS = ("nano", "micro", _QUAD8, "base")


def config_of(name: str) -> ChipConfig:
    """The chip of a preset's name, of a TOML file, or of ``quad8``."""
    if name == _QUAD8:
        return preset("quad").replace_tile(formats=("int8",), transpose=False)
    return resolve_config(name)


def random_dram(rng: np.random.Generator) -> Dram:
    """A memory of any latency, bandwidth and, one time in three, random stalls."""
    rate = int(rng.choice(RATES)) if rng.random() < 0.5 else None
    stalls = float(rng.choice(STALLS)) if rng.random() < 1 / 3 else 0.0
    return Dram(
        size_bytes=MEMORY_BYTES,
        latency_cycles=int(rng.choice(LATENCIES)),
        bytes_per_cycle=rate,
        stall_probability=stalls,
        stall_seed=int(rng.integers(1, 2**31)),
    )


@dataclass
class Point:
    """One program of commands on one memory, on both targets."""

    seed: int
    dram: Dram
    model: Outcome
    rtl: Outcome
    model_s: float
    rtl_s: float

    @property
    def error(self) -> float:
        """Relative error of the model's cycles, doorbell to interrupt."""
        return self.model.cycles / self.rtl.cycles - 1

    @property
    def events_off(self) -> int:
        """Engine events whose cycle the model does not say."""
        rtl, model = ({tuple(event) for event in out.trace} for out in (self.rtl, self.model))
        return len(rtl - model)

    def __str__(self) -> str:
        dram = self.dram
        speed = f"{dram.bytes_per_cycle or 'full'} B/cycle, stalls {dram.stall_probability:.2f}"
        cycles = f"rtl {self.rtl.cycles} cycles, model {self.model.cycles} ({self.error:+.2%})"
        events = f"{self.events_off} of {len(self.rtl.trace)} events in other cycles"
        return f"seed {self.seed}: latency {dram.latency_cycles}, {speed}: {cycles}, {events}"


def _timed(target: Target, program: Program) -> tuple[Outcome, float]:
    begun = time.perf_counter()
    outcome = run_program(target, program)
    return outcome, time.perf_counter() - begun


def _on_both(config: ChipConfig, dram: Dram, program: Program, seed: int) -> Point:
    model, model_s = _timed(open_target("model", config, dram)[0], program)
    target = open_target("rtl", config, dram)[0]
    rtl, rtl_s = _timed(target, program)
    target.close()
    return Point(seed, dram, model, rtl, model_s, rtl_s)


def compare(
    config: ChipConfig, points: int, seed: int, rounds: int = _ROUNDS, *, products: bool = False
) -> Iterator[Point]:
    """Runs ``points`` random programs of commands on both targets, seeds ``seed`` and on.

    ``products``: of one int8 product each, whose tiles load operands for each other.
    """
    for number in range(seed, seed + points):
        rng = np.random.default_rng(number)
        dram = random_dram(rng)
        made = product_program(config, rng) if products else random_program(config, rng, rounds)
        yield _on_both(config, dram, made, number)


@dataclass(frozen=True, slots=True)
class PointRow:
    """A point as it is kept: what was drawn from the seed, and what both targets said."""

    seed: int
    preset: str
    program: str
    latency_cycles: int
    bytes_per_cycle: int | None
    stall_probability: float
    model_cycles: int
    rtl_cycles: int
    same_bytes: bool
    """Memory (of products: results) is the same on both, and as the golden says where it does."""

    @property
    def error(self) -> float:
        """The model's cycles relative to the RTL's, less one."""
        return self.model_cycles / self.rtl_cycles - 1


def measure(seed: int, presets: Sequence[str] = DEFAULT_PRESETS) -> PointRow:
    """The point that ``seed`` draws: preset, memory, and either a product through planner and
    driver, of any format that the chip has, or a random program.
    """
    rng = np.random.default_rng(seed)
    name = presets[int(rng.integers(len(presets)))]
    config = config_of(name)
    dram = random_dram(rng)
    if rng.random() < 0.5:
        program = random_program(config, rng, _ROUNDS)
        found, what = _on_both(config, dram, program, seed), program.what
        model, rtl = found.model.cycles, found.rtl.cycles
        finished = found.model.finished and found.rtl.finished
        same = finished and bool(np.array_equal(found.model.memory, found.rtl.memory))
    else:
        dtype = str(rng.choice(config.tile.formats))
        m, k, n = (int(2 ** rng.uniform(0, _LOG2_SIZE)) for _ in range(3))
        what = f"{m}x{k}x{n} {dtype}"
        report = gemm_report(m, k, n, dtype, config, "rtl", seed % 1000, dram)
        model, rtl, same = report["model_cycles"], report["cycles"], report["bit_exact"]
    return PointRow(
        seed=seed,
        preset=name,
        program=what,
        latency_cycles=dram.latency_cycles,
        bytes_per_cycle=dram.bytes_per_cycle,
        stall_probability=dram.stall_probability,
        model_cycles=model,
        rtl_cycles=rtl,
        same_bytes=same,
    )
