"""Benchmarks of the tools: build times from nothing, the cycle model against the RTL."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from weft_hw.presets import preset
from weft_sim.dram import Dram

from ..gemm import gemm_report
from .result import Measurement

__all__ = ["build", "model"]

_BUILD_LIMIT_S = {"base": 60, "mesh16": 150}
_MODEL_POINTS = 40


def build() -> Iterator[Measurement]:
    """Generating, verilating and compiling a chip in an empty folder."""
    from weft_sim.rtl import RtlTarget

    for name, limit in _BUILD_LIMIT_S.items():
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            RtlTarget(preset(name), Dram(size_bytes=1 << 20), build_dir=Path(folder)).close()
            seconds = time.perf_counter() - start
        yield Measurement(
            name="build",
            what=f"{name}, compiled RTL from nothing",
            value=seconds,
            unit="s",
            demand=f"<= {limit} s",
            met=seconds <= limit,
            command="weft bench --only build",
            detail="Verilog generation included; two cores",
        )


def model() -> Iterator[Measurement]:
    """Cycles of the model against the RTL on random products, memories and presets; new seeds."""
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    rng = np.random.default_rng(seed)
    errors = []
    for point in range(_MODEL_POINTS):
        name = ("nano", "base", "quad")[point % 3]
        m, k, n = (int(2 ** rng.uniform(0, 7.5)) for _ in range(3))
        dram = Dram(
            latency_cycles=int(rng.integers(10, 300)),
            bytes_per_cycle=int(rng.choice([2, 4, 8, 16, 32])),
        )
        both = [
            gemm_report(m, k, n, preset=name, target=target, dram=dram, seed=point)
            for target in ("model", "rtl")
        ]
        errors.append(abs(both[0]["cycles"] / both[1]["cycles"] - 1))
    yield Measurement(
        name="model",
        what=f"cycle model against RTL, {_MODEL_POINTS} random products: largest error",
        value=100 * max(errors),
        unit="%",
        demand="",
        met=None,
        command="weft bench --only model",
        detail=f"seed {seed}; mean {100 * np.mean(errors):.3f} %, "
        f"exact on {sum(e == 0 for e in errors)}",
    )
