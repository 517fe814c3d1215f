"""Serving: throughput, latency and utilisation of a fleet of replicas under a load."""

from dataclasses import dataclass, replace

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine
from weft.fleet.models import ModelShape
from weft.fleet.operators import OpCost
from weft.fleet.quantity import Num
from weft.fleet.serving.engine import priced
from weft.fleet.serving.request import ServingPlan, Slo, Traffic
from weft.fleet.serving.steady import (
    Steady,
    build_fleet,
    feasible_load,
    median,
    meets,
    refuse_objectives,
    steady,
)

__all__ = ["ServingResult", "max_load", "plan_for", "serve"]


@dataclass(frozen=True, slots=True)
class ServingResult:
    """Steady state of a serving fleet. Rates are of the whole fleet of `chips`."""

    requests_per_s: Num
    tokens_per_s: Num
    """Output tokens per second."""
    input_tokens_per_s: Num
    ttft_s: Num
    """Time to first token at the objective's quantile; infinite in draws that are overloaded."""
    tpot_s: Num
    """Mean time per output token."""
    tpot_quantile_s: Num
    """Time per output token of the batches met at the objective's quantile."""
    utilisation: Num
    """Load over saturation."""
    saturation_requests_per_s: Num
    batch: Num
    """Sequences in flight per replica."""
    max_batch: int
    replicas: float
    chips: int
    work: OpCost
    """One iteration of one (decoding) chip at the nearest whole batch: counts for power."""
    iteration_s: Num
    feasible_share: float
    """Share of draws that carry the load."""

    @property
    def tokens_per_s_per_chip(self) -> Num:
        return self.tokens_per_s / self.chips


def max_load(
    machine: Machine,
    model: ModelShape,
    traffic: Traffic,
    plan: ServingPlan,
    constants: Constants | None = None,
    *,
    chips: int | None = None,
    slo: Slo | None = None,
) -> float:
    """Largest requests per second of the fleet within the objectives (median over draws).

    Raises
    ------
    InfeasibleError
        if no load meets them; names what can be had.
    """
    c = constants if constants is not None else default_constants()
    want = slo or Slo()
    fleet = build_fleet(machine, model, traffic, plan, c, chips or plan.replica_chips).central()
    load = feasible_load(fleet, traffic, want, c)
    if load <= 0:
        refuse_objectives(fleet, traffic, want, c)
    return load


def serve(
    machine: Machine,
    model: ModelShape,
    traffic: Traffic,
    plan: ServingPlan,
    constants: Constants | None = None,
    *,
    chips: int | None = None,
    load_requests_per_s: float | None = None,
    slo: Slo | None = None,
) -> ServingResult:
    """Serve `traffic` on `chips` chips (default: one replica) at a load.

    Parameters
    ----------
    load_requests_per_s : float, optional
        Of the whole fleet. None: saturation (all batches full, offline), where the wait for a slot
        is left out of `ttft_s` unless objectives are given; with `slo` and no load, the largest
        load within the objectives.

    Raises
    ------
    InfeasibleError
        model does not fit, load above saturation, or objectives missed; with the nearest feasible
        value. Decided by the median over draws.
    """
    c = constants if constants is not None else default_constants()
    count = plan.replica_chips if chips is None else chips
    want = slo or Slo()
    fleet = build_fleet(machine, model, traffic, plan, c, count)
    saturation, centre = fleet.saturation(), fleet.central()
    offline = load_requests_per_s is None and slo is None
    if offline:
        load: Num = saturation
    elif load_requests_per_s is None:
        load = feasible_load(centre, traffic, want, c)
        if load <= 0:
            refuse_objectives(centre, traffic, want, c)
    else:
        load = load_requests_per_s
        if load <= 0:
            raise FleetError(f"load_requests_per_s must be positive, not {load}")
        limit = median(saturation) * median(c["serving.any.max_utilisation"])
        if load > limit or not meets(centre, traffic, load, want, c):
            best = feasible_load(centre, traffic, want, c)
            if best <= 0:
                refuse_objectives(centre, traffic, want, c)
            kind = "saturates" if load > limit else "misses its objectives"
            raise InfeasibleError(
                f"load_requests_per_s = {load:.4g} {kind}: {count} chips saturate at "
                f"{median(saturation):.4g} requests per second",
                f"load_requests_per_s = {best:.4g}",
            )
    engine = fleet.engine
    if offline:
        full, gain = engine.times_s[-1], engine.tokens_per_iteration
        now = Steady(
            full + engine.prefill_s, full / gain, full / gain, float(engine.max_batch), full
        )
    else:
        now = steady(fleet, traffic, load, want, c)
    feasible = 1.0 if offline else float(np.mean(np.asarray(load) < saturation))
    batch = now.batch
    whole = max(1, round(median(batch)))
    work = priced(engine.machine, model, traffic, plan, c, whole, not plan.prefill_chips)
    plain = np.ndim(work.time_s) == 0

    def out(value: Num) -> Num:
        array = np.asarray(value, float)
        return float(array.reshape(-1)[0]) if plain and array.size == 1 else array

    return ServingResult(
        requests_per_s=out(load),
        tokens_per_s=out(load * traffic.output_tokens),
        input_tokens_per_s=out(load * traffic.input_tokens),
        ttft_s=out(now.ttft_s),
        tpot_s=out(now.tpot_s),
        tpot_quantile_s=out(now.tpot_quantile_s),
        utilisation=out(load / saturation),
        saturation_requests_per_s=out(saturation),
        batch=out(batch),
        max_batch=engine.max_batch,
        replicas=fleet.split.decode_replicas,
        chips=count,
        work=work,
        iteration_s=out(now.iteration_s),
        feasible_share=feasible,
    )


def plan_for(
    machine: Machine,
    model: ModelShape,
    traffic: Traffic,
    constants: Constants | None = None,
    *,
    precision: str = "fp8",
    slo: Slo | None = None,
    most_chips: int | None = None,
) -> ServingPlan:
    """The replica with most output tokens per second and chip within the objectives.

    Tries tensor widths in powers of two up to `most_chips` (default: the scale-up domain, at most
    16) and, for mixtures of experts, expert groups in powers of two up to the same.
    """
    c = constants if constants is not None else default_constants()
    limit = most_chips or min(16, machine.scaleup.chips or 16)
    best: tuple[float, ServingPlan] | None = None
    refusal: InfeasibleError | None = None
    widths = [2**i for i in range(12) if 2**i <= limit]
    groups = widths if model.experts else [1]
    for tensor in widths:
        for expert in groups:
            if tensor * expert > max(limit, machine.scaleup.chips if model.experts else 0):
                continue
            plan = replace(ServingPlan(precision=precision), tensor=tensor, expert=expert)
            try:
                load = max_load(machine, model, traffic, plan, c, slo=slo)
            except InfeasibleError as error:
                refusal = error
                continue
            if best is None or load / plan.replica_chips > best[0]:
                best = (load / plan.replica_chips, plan)
    if best is None:
        raise refusal or InfeasibleError(
            f"no replica of up to {limit} chips serves {model.name}", "more chips per replica"
        )
    return best[1]
