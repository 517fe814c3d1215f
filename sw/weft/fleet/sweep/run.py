"""Run a study: skip what is done, price the rest, keep results as they come."""

import functools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.fleet.scenarios.specs import ScenarioSpec
from weft.fleet.sweep.engine import Engine
from weft.fleet.sweep.pareto import pareto_front
from weft.fleet.sweep.price import design_key, price_design
from weft.fleet.sweep.store import Store, load_results
from weft.fleet.sweep.study import Study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SweepResult", "run_sweep"]

PART_DESIGNS = 64
PART_SECONDS = 5.0
"""A part is written after this many designs or seconds, whichever is first."""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """A finished study."""

    designs: int
    priced: int
    """By this run; the others were already there."""
    infeasible: int
    frame: "pd.DataFrame"
    front: "pd.DataFrame"
    seconds: float
    workers: int


def _price(spec: ScenarioSpec, draws: int, seed: int, knobs: dict[str, Any]) -> dict[str, Any]:
    return price_design(spec, knobs, draws, seed)


def run_sweep(
    study: Study,
    folder: Path,
    engine: AbstractContextManager[Engine],
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SweepResult:
    """Price every design of `study` that `folder` does not hold yet.

    An interruption (Ctrl-C) keeps what is finished; the same call continues.

    Parameters
    ----------
    progress : function
        Called with (done, total) at the start and after every design.
    """
    start = time.monotonic()
    store = Store(folder, study.fingerprint)
    designs = study.designs()
    known = store.done()
    left = [d for d in designs if design_key(d) not in known]
    progress(len(designs) - len(left), len(designs))
    task = functools.partial(_price, study.scenario.spec, study.draws, study.seed)
    waiting: list[dict[str, Any]] = []
    written = time.monotonic()
    done = len(designs) - len(left)
    with engine as pool:
        workers = pool.workers
        try:
            for record in pool.map(task, left):
                waiting.append(record)
                done += 1
                progress(done, len(designs))
                if len(waiting) >= PART_DESIGNS or time.monotonic() - written > PART_SECONDS:
                    store.append(waiting)
                    waiting, written = [], time.monotonic()
        finally:
            if waiting:
                store.append(waiting)
    wanted = {design_key(d) for d in designs}
    frame = load_results(folder)
    frame = frame[frame["design"].isin(wanted)].drop_duplicates("design").reset_index(drop=True)
    return SweepResult(
        designs=len(designs),
        priced=len(left),
        infeasible=int((frame["error"] != "").sum()),
        frame=frame,
        front=pareto_front(frame),
        seconds=time.monotonic() - start,
        workers=workers,
    )
