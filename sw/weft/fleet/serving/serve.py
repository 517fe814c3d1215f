"""Serving: throughput, latency and utilisation of a fleet of replicas under a load."""

from dataclasses import dataclass, replace

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine
from weft.fleet.models import ModelShape
from weft.fleet.operators import OpCost
from weft.fleet.quantity import Num
from weft.fleet.serving.disaggregated import Split, split_chips
from weft.fleet.serving.engine import Engine, build_engine, priced
from weft.fleet.serving.queueing import in_flight, lane_wait_quantile_s
from weft.fleet.serving.request import ServingPlan, Slo, Traffic

__all__ = ["ServingResult", "max_load", "plan_for", "serve"]

LIGHT = 1e-3
"""Share of saturation at which requests do not meet each other."""


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


@dataclass(frozen=True, slots=True)
class _Steady:
    """Per draw."""

    ttft_s: Num
    tpot_s: Num
    tpot_quantile_s: Num
    batch: Num
    iteration_s: Num


@dataclass(frozen=True, slots=True)
class _Fleet:
    engine: Engine
    split: Split
    scale: Num
    """Share of throughput left after the network front (several nodes)."""

    def central(self) -> "_Fleet":
        """Medians instead of draws, so that a search prices one curve."""
        split = replace(
            self.split,
            prefill_s=_median(self.split.prefill_s),
            prefill_requests_per_s=_median(self.split.prefill_requests_per_s),
            transfer_s=_median(self.split.transfer_s),
        )
        return _Fleet(self.engine.central(), split, _median(self.scale))

    def saturation(self) -> Num:
        """Requests per second of the whole fleet."""
        decode = self.engine.saturation() * self.split.decode_replicas
        return np.minimum(decode, self.split.prefill_requests_per_s) * self.scale


def _fleet(
    machine: Machine,
    model: ModelShape,
    traffic: Traffic,
    plan: ServingPlan,
    c: Constants,
    chips: int,
) -> _Fleet:
    engine = build_engine(machine, model, traffic, plan, c, mixed=not plan.prefill_chips)
    split = split_chips(machine, model, traffic, plan, engine, chips)
    front = 1.0 - c["serving.any.network_front_share"] if plan.nodes > 1 else 1.0
    return _Fleet(engine, split, front)


def _latency(fleet: _Fleet, traffic: Traffic, load: Num, slo: Slo, c: Constants) -> _Steady:
    """Latencies and sequences in flight at a fleet load."""
    engine, split = fleet.engine, fleet.split
    each = load / (split.decode_replicas * fleet.scale)
    cv = np.sqrt(traffic.output_cv**2 * c["serving.any.arrival_burst_x"])
    flight = in_flight(engine.batches, engine.requests_per_s, each, cv, slo.quantile)
    time = engine.time_at(flight.mean)
    worst = engine.time_at(flight.quantile)
    if split.prefill_replicas:
        share = load / (split.prefill_requests_per_s * fleet.scale)
        service = split.prefill_s / split.prefill_replicas
        lane = lane_wait_quantile_s(share, service, 1.0, slo.quantile)
        first = lane + split.prefill_s + split.transfer_s + time
    else:
        # inputs queue for their share of each iteration, then take one
        share = np.minimum(each * engine.prefill_s, 1.0)
        lane = lane_wait_quantile_s(share, engine.prefill_s, 1.0, slo.quantile)
        first = lane + time + engine.prefill_s
    gain = engine.tokens_per_iteration
    return _Steady(flight.wait_s + first, time / gain, worst / gain, flight.mean, time)


def _median(value: Num) -> float:
    return float(np.median(value))


def _meets(fleet: _Fleet, traffic: Traffic, load: float, slo: Slo, c: Constants) -> bool:
    now = _latency(fleet, traffic, load, slo, c)
    ok = slo.ttft_s is None or _median(now.ttft_s) <= slo.ttft_s
    return ok and (slo.tpot_s is None or _median(now.tpot_quantile_s) <= slo.tpot_s)


def _feasible_load(fleet: _Fleet, traffic: Traffic, slo: Slo, c: Constants) -> float:
    """Largest fleet load within objectives and utilisation limit; 0 if none (central)."""
    top = _median(fleet.saturation()) * _median(c["serving.any.max_utilisation"])
    if _meets(fleet, traffic, top, slo, c):
        return top
    low, high = 0.0, top
    if not _meets(fleet, traffic, top * LIGHT, slo, c):
        return 0.0
    for _ in range(24):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _meets(fleet, traffic, middle, slo, c) else (low, middle)
    return low


def _refuse_slo(fleet: _Fleet, traffic: Traffic, slo: Slo, c: Constants) -> None:
    light = _latency(fleet, traffic, _median(fleet.saturation()) * LIGHT, slo, c)
    words = []
    if slo.ttft_s is not None and _median(light.ttft_s) > slo.ttft_s:
        words.append(f"ttft_s = {_median(light.ttft_s):.3g}")
    if slo.tpot_s is not None and _median(light.tpot_quantile_s) > slo.tpot_s:
        words.append(f"tpot_s = {_median(light.tpot_quantile_s):.3g}")
    raise InfeasibleError(
        "no load meets the objectives: even one lone request is slower than "
        f"ttft_s = {slo.ttft_s} and tpot_s = {slo.tpot_s} ask",
        ", ".join(words) or "looser objectives",
    )


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
    fleet = _fleet(machine, model, traffic, plan, c, chips or plan.replica_chips).central()
    load = _feasible_load(fleet, traffic, want, c)
    if load <= 0:
        _refuse_slo(fleet, traffic, want, c)
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
    fleet = _fleet(machine, model, traffic, plan, c, count)
    saturation, centre = fleet.saturation(), fleet.central()
    offline = load_requests_per_s is None and slo is None
    if offline:
        load: Num = saturation
    elif load_requests_per_s is None:
        load = _feasible_load(centre, traffic, want, c)
        if load <= 0:
            _refuse_slo(centre, traffic, want, c)
    else:
        load = load_requests_per_s
        if load <= 0:
            raise FleetError(f"load_requests_per_s must be positive, not {load}")
        limit = _median(saturation) * _median(c["serving.any.max_utilisation"])
        if load > limit or not _meets(centre, traffic, load, want, c):
            best = _feasible_load(centre, traffic, want, c)
            if best <= 0:
                _refuse_slo(centre, traffic, want, c)
            kind = "saturates" if load > limit else "misses its objectives"
            raise InfeasibleError(
                f"load_requests_per_s = {load:.4g} {kind}: {count} chips saturate at "
                f"{_median(saturation):.4g} requests per second",
                f"load_requests_per_s = {best:.4g}",
            )
    engine = fleet.engine
    if offline:
        full, gain = engine.times_s[-1], engine.tokens_per_iteration
        now = _Steady(
            full + engine.prefill_s, full / gain, full / gain, float(engine.max_batch), full
        )
    else:
        now = _latency(fleet, traffic, load, want, c)
    feasible = 1.0 if offline else float(np.mean(np.asarray(load) < saturation))
    batch = now.batch
    whole = max(1, round(_median(batch)))
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
