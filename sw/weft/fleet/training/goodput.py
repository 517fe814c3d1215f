"""Failures, checkpoints and restarts: the share of time that trains.

Young/Daly: with a stall `C` per checkpoint, mean time between interruptions `M` and restart `R`,
the best interval is `sqrt(2 C M)`; the lost share is `C / tau + tau / (2 M) + R / M`.
"""

from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine
from weft.fleet.models import ModelShape
from weft.fleet.quantity import Num

__all__ = ["Goodput", "TrainingRun", "goodput", "training_run"]

HOURS_PER_YEAR = 8766.0


@dataclass(frozen=True, slots=True)
class Goodput:
    """Where the time of a long job goes."""

    effective_share: Num
    """Share of wall time in productive steps."""
    mtbf_h: Num
    """Mean time between unexpected interruptions of the whole job."""
    checkpoint_s: Num
    """Stall of one checkpoint."""
    interval_s: Num
    """Young/Daly interval."""
    checkpoint_share: Num
    rework_share: Num
    restart_share: Num


def goodput(
    machine: Machine, model: ModelShape, chips: int, constants: Constants | None = None
) -> Goodput:
    """Effective training time of a synchronous job on `chips` chips.

    Raises
    ------
    InfeasibleError
        when the job fails faster than it can checkpoint and restart (median over draws).
    """
    if chips < 1:
        raise FleetError(f"chips must be at least 1, not {chips}")
    c = constants if constants is not None else default_constants()
    rate = c[f"reliability.{machine.kind}.interruptions_per_chip_year"]
    mtbf = HOURS_PER_YEAR * 3600.0 / (rate * chips)
    size = model.params * c["reliability.any.checkpoint_bytes_per_param"]
    bandwidth = c["reliability.any.storage_tb_per_s"] * 1e12 * max(1.0, chips / 16384)
    stall = c["reliability.any.checkpoint_stall_s"] + size / bandwidth
    interval = np.sqrt(2.0 * stall * mtbf)
    restart = c["reliability.any.restart_s"]
    planned = 1.0 + c["reliability.gpu.planned_per_unexpected"]
    parts = (stall / interval, interval / (2.0 * mtbf), restart * planned / mtbf)
    lost = parts[0] + parts[1] + parts[2]
    if float(np.median(lost)) >= 0.9:
        limit = int(chips * 0.1 / float(np.median(lost)))
        raise InfeasibleError(
            f"{chips} chips fail every {float(np.median(mtbf)):.0f} s, faster than a checkpoint "
            "and a restart take",
            f"about {max(1, limit)} chips",
        )
    return Goodput(
        effective_share=1.0 - np.minimum(lost, 0.99),
        mtbf_h=mtbf / 3600.0,
        checkpoint_s=stall,
        interval_s=interval,
        checkpoint_share=parts[0],
        rework_share=parts[1],
        restart_share=parts[2],
    )


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A whole training run."""

    tokens: float
    chip_hours: Num
    days: Num
    effective_share: Num
    tokens_per_s: Num
    """In productive steps."""


def training_run(tokens: float, tokens_per_s: Num, chips: int, share: Num) -> TrainingRun:
    """Chip-hours and days to train on `tokens`."""
    if tokens <= 0:
        raise FleetError(f"tokens must be positive, not {tokens}")
    seconds = tokens / (tokens_per_s * share)
    return TrainingRun(tokens, seconds * chips / 3600.0, seconds / 86400.0, share, tokens_per_s)
