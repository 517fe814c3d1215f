"""Benchmarks of the tools: build times from nothing."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from weft_hw.presets import preset
from weft_sim.dram import Dram

from .result import Measurement

__all__ = ["build"]

#: Preset -> seconds it may take; None is reported only.
_BUILD_LIMIT_S = {"base8": 60, "base": None, "mesh16": 150}


def build() -> Iterator[Measurement]:
    """Generating, verilating and compiling a chip in an empty folder."""
    from weft_sim.rtl import RtlTarget

    for name, limit in _BUILD_LIMIT_S.items():
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            RtlTarget(preset(name), Dram(size_bytes=1 << 20), build_dir=Path(folder)).close()
            seconds = time.perf_counter() - start
        built = Measurement(
            name="build",
            what=f"{name}, compiled RTL from nothing",
            value=seconds,
            unit="s",
            command="weft bench --only build",
            detail=f"Verilog generation included; {os.cpu_count()} cores",
        )
        yield built if limit is None else built.at_most(limit)
