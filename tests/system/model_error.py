"""How far the model's cycles are from the compiled RTL's: random programs on random memories.

    python tests/system/model_error.py --preset base --points 100 --seed 1

prints a line for each point and a summary; the seed defaults to the time of day. Half of the
programs are layers of int8 products (``programs``), the others of all commands and formats that the
chip has (``tile_programs``); a chip with more formats than int8 gets the latter only.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from programs import MEMORY_BYTES, Outcome, Program, random_program, run_program
from tile_programs import tile_program
from weft_hw.config import ChipConfig
from weft_hw.presets import PRESETS, preset
from weft_sim.dram import Dram
from weft_sim.model import ModelTarget
from weft_sim.rtl import RtlTarget
from weft_sim.target import Target

__all__ = ["Point", "compare", "draw", "random_dram"]

LATENCIES = (1, 5, 20, 60, 100, 200, 400)
RATES = (1, 2, 4, 8, 16, 32)
STALLS = (0.05, 0.3, 0.7)


@dataclass
class Point:
    """One program on one memory, on both targets."""

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


def draw(config: ChipConfig, rng: np.random.Generator, rounds: int) -> Program:
    """A random program for a chip."""
    if config.tile.formats != ("int8",) or rng.random() < 0.5:
        return tile_program(config, rng, rounds)
    return random_program(config, rng, rounds, aligned=bool(rng.integers(0, 2)))


def _timed(target: Target, program: object) -> tuple[Outcome, float]:
    begun = time.perf_counter()
    outcome = run_program(target, program)  # type: ignore[arg-type]
    return outcome, time.perf_counter() - begun


def compare(config: ChipConfig, points: int, seed: int, rounds: int = 3) -> Iterator[Point]:
    """Runs ``points`` random programs on both targets."""
    for number in range(seed, seed + points):
        rng = np.random.default_rng(number)
        dram = random_dram(rng)
        program = draw(config, rng, rounds)
        model, model_s = _timed(ModelTarget(config, dram), program)
        rtl_target = RtlTarget(config, dram)
        rtl, rtl_s = _timed(rtl_target, program)
        rtl_target.close()
        yield Point(number, dram, model, rtl, model_s, rtl_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=sorted(PRESETS), default="nano")
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="of a few commands each, a tile")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    errors = []
    wrong = 0
    for point in compare(preset(options.preset), options.points, options.seed, options.rounds):
        errors.append(abs(point.error))
        wrong += not np.array_equal(point.model.memory, point.rtl.memory)
        print(point, flush=True)
    exact = sum(error == 0 for error in errors)
    above = sum(error > 0.01 for error in errors)
    print(
        f"{options.preset}, seeds {options.seed}..{options.seed + options.points - 1}: {exact} of "
        f"{len(errors)} points exact, mean error {np.mean(errors):.3%}, worst {max(errors):.2%}, "
        f"{above} above 1 %, {wrong} with other bytes in memory"
    )


if __name__ == "__main__":
    main()
