"""Recommendation on part of a fleet; a "token" is a sample."""

import numpy as np

from weft.fleet.constants import Constants
from weft.fleet.machines import Machine
from weft.fleet.power import chip_power
from weft.fleet.scenarios.specs import RankingSpec
from weft.fleet.scenarios.work import WorkResult
from weft.fleet.serving import dlrm_dcnv2, recommend

__all__ = ["ranking_work"]


def ranking_work(
    machine: Machine, spec: RankingSpec, chips: int, c: Constants, *, limit_w: float | None = None
) -> WorkResult:
    """Replicas of `spec.replica_chips` chips at the largest utilisation that queues allow.

    Raises
    ------
    InfeasibleError
        if the embedding tables do not fit a replica.
    """
    shape = dlrm_dcnv2()
    result = recommend(
        machine,
        shape,
        c,
        batch=spec.batch,
        chips=spec.replica_chips,
        precision=spec.precision,
        table_precision=spec.table_precision,
    )
    replicas = chips // spec.replica_chips
    work = result.work
    power = chip_power(machine, work, spec.precision, c, limit_w=limit_w)
    time = work.time_s * power.slowdown
    used = c["serving.any.max_utilisation"]
    rate = result.saturation_samples_per_s / power.slowdown * used
    peak = machine.peak(spec.precision)
    done = rate * shape.flops_per_sample / spec.replica_chips
    ideal = done / peak
    memory = np.clip(work.memory_s / time, 0.0, 1.0 - ideal)
    return WorkResult(
        kind="ranking",
        chips=chips,
        chips_in_step=spec.replica_chips,
        precision=spec.precision,
        tflops_per_chip=done / 1e12,
        mfu=ideal,
        step_s=time,
        tokens_per_s=rate * replicas,
        chip_w=power.power_w,
        waterfall=(
            ("embedding gathers and weights", memory),
            ("links, small products, queue room", 1.0 - ideal - memory),
            ("delivered", ideal),
        ),
        details={
            "model": f"{shape.name}; a token is a sample, one user-item pair",
            "replica": f"{spec.replica_chips} chips, batch {spec.batch}",
            "share of saturation": used,
        },
    )
