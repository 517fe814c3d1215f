"""Benchmarks of the fleet model: how long a scenario, its draws and a layout search take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from .result import Measurement

__all__ = ["fleet"]

_DRAWS = 10_000
_CHIPS = 5_000


def _seconds(work: Callable[[], Any]) -> float:
    """The quicker of two runs, so that imports and first uses do not count."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def fleet() -> Iterator[Measurement]:
    """The scenario `memphis`, and Llama 3 405B on 5,000 H100."""
    from ..fleet.machines import gpu
    from ..fleet.models import model
    from ..fleet.scenarios import Scenario
    from ..fleet.training import search_layout

    scenario = Scenario.load("memphis")
    for what, limit_s, work in (
        ("one scenario, GPUs beside Weft", 0.05, scenario.point),
        (f"one scenario, {_DRAWS:,} draws", 30.0, lambda: scenario.run(draws=_DRAWS)),
        (
            f"layout search at {_CHIPS:,} chips",
            10.0,
            lambda: search_layout(
                gpu("h100_sxm"), model("llama3-405b"), _CHIPS, global_batch=2048, seq=8192
            ),
        ),
    ):
        seconds = _seconds(work)
        yield Measurement(
            name="fleet",
            what=f"fleet model, {what}",
            value=seconds,
            unit="s",
            command="weft bench --only fleet",
            detail="one core",
        ).at_most(limit_s)
