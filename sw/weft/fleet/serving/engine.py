"""A replica as a curve: iteration time over sequences in flight, from a few priced iterations."""

from dataclasses import dataclass, replace

import numpy as np

from weft.fleet.constants import Constants
from weft.fleet.machines import Machine
from weft.fleet.models import ModelShape
from weft.fleet.operators import OpCost
from weft.fleet.quantity import Num
from weft.fleet.serving.iteration import iteration, serving_machine
from weft.fleet.serving.memory import serving_memory
from weft.fleet.serving.request import ServingPlan, Traffic

__all__ = ["Engine", "build_engine"]

POINTS = 7
"""Batches priced between one group of sequences and the largest batch."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Steady state of one replica against sequences in flight."""

    machine: Machine
    batches: np.ndarray
    """(points,) sequences in flight."""
    times_s: np.ndarray
    """(points, draws) seconds of an iteration."""
    requests_per_s: np.ndarray
    """(points, draws)."""
    max_batch: int
    tokens_per_iteration: float
    """Output tokens a sequence gains per iteration (above 1 with speculation)."""
    prefill_s: Num
    """Seconds to compute one request's input alone (its share of busy iterations)."""

    def saturation(self) -> Num:
        """Requests per second at the largest batch."""
        return self.requests_per_s.max(axis=0)

    def time_at(self, batch: np.ndarray) -> np.ndarray:
        """Seconds of an iteration with `batch` (draws,) sequences in flight, log-log."""
        grid, times = np.log(self.batches), np.log(self.times_s)
        x = np.log(np.maximum(batch, self.batches[0]))
        index = np.clip(np.searchsorted(grid, x, side="right") - 1, 0, grid.size - 2)
        draws = np.arange(times.shape[1])
        part = np.clip((x - grid[index]) / (grid[index + 1] - grid[index]), 0.0, 1.0)
        return np.exp(times[index, draws] * (1.0 - part) + times[index + 1, draws] * part)

    def central(self) -> "Engine":
        """The same curve with the median of every point (one draw): for searches."""
        return replace(
            self,
            times_s=np.median(self.times_s, axis=1, keepdims=True),
            requests_per_s=np.median(self.requests_per_s, axis=1, keepdims=True),
            prefill_s=float(np.median(self.prefill_s)),
        )


def priced(
    machine: Machine,
    model: ModelShape,
    traffic: Traffic,
    plan: ServingPlan,
    c: Constants,
    decode: int,
    mixed: bool,
) -> OpCost:
    """One steady-state iteration with `decode` sequences and the prefill that feeds them."""
    gain = plan.speculation.tokens_per_check if plan.speculation else 1.0
    fed = decode * gain / traffic.output_tokens * traffic.prefill_tokens if mixed else 0.0
    return iteration(
        machine, model, traffic, plan, c, decode=decode, prefill_tokens=round(max(0.0, fed))
    )


def build_engine(
    machine: Machine,
    model: ModelShape,
    traffic: Traffic,
    plan: ServingPlan,
    c: Constants,
    *,
    mixed: bool = True,
) -> Engine:
    """Price a replica; `mixed` False leaves prefill to other chips."""
    chip = serving_machine(machine, plan, c)
    memory = serving_memory(machine, model, traffic, plan, c)
    most = plan.max_batch or memory.sequences
    first = min(most, plan.expert)
    grid = np.unique(np.round(np.geomspace(first, most, POINTS)).astype(int))
    if grid.size == 1:
        grid = np.array([grid[0], grid[0] + 1])
    gain = plan.speculation.tokens_per_check if plan.speculation else 1.0
    times = [
        np.atleast_1d(priced(chip, model, traffic, plan, c, int(b), mixed).time_s) for b in grid
    ]
    width = max(t.size for t in times)
    stacked = np.stack([np.broadcast_to(t, (width,)) for t in times])
    rate = grid[:, None] * gain / (stacked * traffic.output_tokens)
    alone = iteration(
        chip,
        model,
        traffic,
        plan,
        c,
        decode=0,
        prefill_tokens=max(plan.expert, round(traffic.prefill_tokens)),
    )
    return Engine(chip, grid, stacked, rate, int(most), gain, alone.time_s)
