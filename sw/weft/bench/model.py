"""The cycle model against the compiled RTL on random points: `weft bench --only model`.

A point is a product through the driver: random sizes, operand format, preset, memory latency and
bandwidth, all drawn from its seed. Points are kept as they are measured, in
``build/bench/model.jsonl``: a run that was cut short goes on where it was; one that is complete
is put aside under its first seed, and the next has new seeds.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.rtl.cache import build_root

from ..gemm import gemm_report
from .result import Measurement

__all__ = ["histogram", "measure", "model", "table"]

#: Points of a whole run; WEFT_BENCH_POINTS asks for another number.
_POINTS = 1000
_PRESETS = ("nano", "micro", "base", "quad")
_LATENCIES = (1, 5, 20, 60, 100, 200, 400)
_RATES = (2, 4, 8, 16, 32, None)
#: Upper bounds of the bars of the histogram.
_BARS = (0.0, 0.0001, 0.001, 0.0025, 0.005, 0.01, 0.05)
_LIMIT = 0.01


def measure(seed: int) -> dict[str, Any]:
    """One point: what was drawn from ``seed``, both cycle counts, and ``error``, the model's
    cycles relative to the RTL's, less one.
    """
    rng = np.random.default_rng(seed)
    name = _PRESETS[int(rng.integers(len(_PRESETS)))]
    config = preset(name)
    dtypes = [f for f in config.tile.formats if f in ("int8", "bf16")]
    dtype = dtypes[int(rng.integers(len(dtypes)))]
    m, k, n = (int(2 ** rng.uniform(0, 7.5)) for _ in range(3))
    dram = Dram(
        latency_cycles=int(rng.choice(_LATENCIES)),
        bytes_per_cycle=_RATES[int(rng.integers(len(_RATES)))],
    )
    reports = {
        target: gemm_report(m, k, n, dtype, name, target, seed % 1000, dram)
        for target in ("model", "rtl")
    }
    cycles = {target: report["cycles"] for target, report in reports.items()}
    return {
        "seed": seed,
        "preset": name,
        "shape": f"{m}x{k}x{n} {dtype}",
        "latency_cycles": dram.latency_cycles,
        "bytes_per_cycle": dram.bytes_per_cycle,
        "model_cycles": cycles["model"],
        "rtl_cycles": cycles["rtl"],
        "bit_exact": all(report["bit_exact"] for report in reports.values()),
        "error": cycles["model"] / cycles["rtl"] - 1,
    }


def table(points: list[dict[str, Any]]) -> list[str]:
    """A line for each preset: points, how many are exact, mean, 99th percentile and worst."""
    lines = [f"{'preset':<8} {'points':>6} {'exact':>6} {'mean':>8} {'99 %':>8} {'worst':>8}"]
    for name in (*_PRESETS, "all"):
        errors = [abs(p["error"]) for p in points if name in ("all", p["preset"])]
        if errors:
            exact = sum(error == 0 for error in errors)
            lines.append(
                f"{name:<8} {len(errors):>6} {exact:>6} {np.mean(errors):>8.3%} "
                f"{np.quantile(errors, 0.99):>8.3%} {max(errors):>8.3%}"
            )
    return lines


def histogram(errors: list[float]) -> list[str]:
    """A bar for each range of absolute errors."""
    lines = []
    low = -1.0
    for high in (*_BARS, np.inf):
        count = sum(low < error <= high for error in errors)
        label = "exact" if high == 0 else f"<= {high:.2%}" if high < np.inf else f"> {low:.2%}"
        lines.append(f"{label:>9} {count:>6} {'#' * round(60 * count / max(1, len(errors)))}")
        low = high
    return lines


def _collect(path: Path, count: int) -> list[dict[str, Any]]:
    """The points of a run, those kept from before and the rest measured now."""
    points = []
    if path.exists():
        points = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    first = points[0]["seed"] if points else int(np.random.SeedSequence().generate_state(1)[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for seed in range(first + len(points), first + count):
            points.append(measure(seed))
            file.write(json.dumps(points[-1]) + "\n")
            file.flush()
    path.rename(path.with_name(f"model-{first}.jsonl"))
    return points


def model() -> Iterator[Measurement]:
    """Cycles of the model against the RTL: table, histogram and worst cases on stderr."""
    count = int(os.environ.get("WEFT_BENCH_POINTS", _POINTS))
    points = _collect(build_root().parent / "bench" / "model.jsonl", count)
    errors = [abs(point["error"]) for point in points]
    worst = sorted(points, key=lambda point: -abs(point["error"]))[:5]
    lines = [*table(points), *histogram(errors), "worst:", *map(str, worst)]
    print("\n".join(lines), file=sys.stderr, flush=True)
    above = sum(error > _LIMIT for error in errors)
    yield Measurement(
        name="model",
        what=f"cycle model against RTL, {len(points)} random products: largest error",
        value=100 * max(errors),
        unit="%",
        demand="<= 1 %",
        met=above == 0 and all(point["bit_exact"] for point in points),
        command="weft bench --only model",
        detail=f"seeds {points[0]['seed']} .. {points[-1]['seed']}; mean {np.mean(errors):.4%}, "
        f"exact on {sum(error == 0 for error in errors)}, above 1 % on {above}",
    )
