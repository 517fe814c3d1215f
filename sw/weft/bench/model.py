"""The cycle model against the compiled RTL on random points: `weft bench --only model`.

A point (``weft.bench.points``) is a product through planner and driver or a program of random
commands, with preset, format, memory latency, bandwidth and stalls drawn from its seed. Seeds are
others in every run. Points are kept as they are measured, in ``build/bench/model.jsonl``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from weft_sim.dram import Dram
from weft_sim.rtl.cache import build_root
from weft_sim.rtl.progress import Progress

from ..targets import open_target
from .kept import Kept
from .points import DEFAULT_PRESETS, PointRow, config_of, measure
from .programs import MEMORY_BYTES
from .result import Measurement

__all__ = ["collect", "histogram", "model", "table"]

#: Points of a whole run.
POINTS = 1000
#: Upper bounds of the bars of the histogram.
_BARS = (0.0, 0.0001, 0.001, 0.0025, 0.005, 0.01, 0.05)
_LIMIT = 0.01


def table(rows: Sequence[PointRow]) -> list[str]:
    """A line for each preset: points, share that is exact, mean, 99th percentile and worst."""
    lines = [f"{'preset':<8} {'points':>6} {'exact':>7} {'mean':>8} {'99 %':>8} {'worst':>8}"]
    for name in (*dict.fromkeys(sorted(row.preset for row in rows)), "all"):
        errors = [abs(row.error) for row in rows if name in ("all", row.preset)]
        exact = sum(error == 0 for error in errors) / len(errors)
        lines.append(
            f"{name:<8} {len(errors):>6} {exact:>7.1%} {np.mean(errors):>8.3%} "
            f"{np.quantile(errors, 0.99):>8.3%} {max(errors):>8.3%}"
        )
    return lines


def histogram(errors: Sequence[float]) -> list[str]:
    """A bar for each range of absolute errors."""
    lines = []
    low = -1.0
    for high in (*_BARS, np.inf):
        count = sum(low < error <= high for error in errors)
        label = "exact" if high == 0 else f"<= {high:.2%}" if high < np.inf else f"> {low:.2%}"
        lines.append(f"{label:>9} {count:>6} {'#' * round(60 * count / max(1, len(errors)))}")
        low = high
    return lines


def _worst(rows: Sequence[PointRow]) -> list[str]:
    """The five points that are furthest off, in words that repeat them."""
    lines = []
    off = [row for row in rows if row.error]
    for row in sorted(off, key=lambda row: -abs(row.error))[:5]:
        rate = "full" if row.bytes_per_cycle is None else row.bytes_per_cycle
        lines.append(
            f"seed {row.seed}, {row.preset}, {row.program}, latency {row.latency_cycles}, {rate} "
            f"B/cycle, stalls {row.stall_probability:.2f}: RTL {row.rtl_cycles}, model "
            f"{row.model_cycles} ({row.error:+.2%})"
        )
    return lines


def collect(kept: Kept, points: int) -> list[PointRow]:
    """The first ``points`` points of a run, those kept from before and the rest measured now."""
    before = len(kept.rows)
    if before < points:
        for name in kept.presets:
            # chips are compiled before the clock runs
            open_target("rtl", config_of(name), Dram(size_bytes=MEMORY_BYTES))[0].close()
    started_s = time.monotonic()
    with Progress("cycle model against RTL") as progress:
        for seed in range(kept.first_seed + before, kept.first_seed + points):
            kept.append(measure(seed, kept.presets))
            done = len(kept.rows)
            left_s = (time.monotonic() - started_s) / (done - before) * (points - done)
            exact = sum(row.error == 0 for row in kept.rows)
            worst = max(abs(row.error) for row in kept.rows)
            progress.step = (
                f"{done} of {points} points, {exact} exact, worst {worst:.2%}, "
                f"{left_s / 60:.0f} min left"
            )
    return kept.rows[:points]


def model(
    points: int = POINTS, seed: int | None = None, presets: Sequence[str] | None = None
) -> Iterator[Measurement]:
    """Cycles of the model against the RTL's.

    Parameters
    ----------
    points : int
        At least 1.
    seed : int, optional
        Of the first point, the others follow; drawn anew if None, unless a run was cut short.
    presets : sequence of str, optional
        What points are drawn from: presets, TOML files, ``quad8``.

    Raises
    ------
    ValueError
        for no points, a negative seed, or a preset that is not there.
    """
    if points < 1:
        raise ValueError(f"points must be at least 1, not {points}")
    if seed is not None and seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")
    names = DEFAULT_PRESETS if presets is None else tuple(presets)
    for name in names:
        config_of(name)
    path: Path = build_root().parent / "bench" / "model.jsonl"
    fresh = int(np.random.SeedSequence().generate_state(1)[0])
    kept = Kept.open(path, names, seed, fresh)
    there = f"; {len(kept.rows)} of them were measured before" if kept.rows else ""
    print(
        f"weft: {points:,} points on {', '.join(names)}, seeds from {kept.first_seed} on "
        f"(--seed {kept.first_seed} repeats them){there}",
        file=sys.stderr,
        flush=True,
    )
    rows = collect(kept, points)
    if len(kept.rows) == len(rows):
        kept.put_aside()
    errors = [abs(row.error) for row in rows]
    above = sum(error > _LIMIT for error in errors)
    wrong = sum(not row.same_bytes for row in rows)
    yield Measurement(
        name="model",
        what=f"cycle model against RTL, {len(rows)} random points: largest error",
        value=100 * max(errors),
        unit="%",
        command=f"weft bench --only model --seed {kept.first_seed} --points {points}",
        detail="\n    ".join(
            [
                f"above 1 %: {above}; with other bytes: {wrong}",
                *table(rows),
                *histogram(errors),
                "furthest off:",
                *_worst(rows),
            ]
        ),
    ).at_most(100 * _LIMIT, wrong == 0)
