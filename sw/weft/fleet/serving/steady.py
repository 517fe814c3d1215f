"""A serving fleet in steady state: replicas, pools, latencies, the largest load it carries."""

from dataclasses import dataclass, replace

import numpy as np

from weft.fleet.constants import Constants
from weft.fleet.errors import InfeasibleError
from weft.fleet.machines import Machine
from weft.fleet.models import ModelShape
from weft.fleet.quantity import Num
from weft.fleet.serving.disaggregated import Split, split_chips
from weft.fleet.serving.engine import Engine, build_engine
from weft.fleet.serving.queueing import in_flight, lane_wait_quantile_s
from weft.fleet.serving.request import ServingPlan, Slo, Traffic

__all__ = [
    "ServingFleet",
    "Steady",
    "build_fleet",
    "feasible_load",
    "median",
    "meets",
    "refuse_objectives",
    "steady",
]

LIGHT = 1e-3
"""Share of saturation at which requests do not meet each other."""


@dataclass(frozen=True, slots=True)
class Steady:
    """Per draw."""

    ttft_s: Num
    tpot_s: Num
    tpot_quantile_s: Num
    batch: Num
    iteration_s: Num


@dataclass(frozen=True, slots=True)
class ServingFleet:
    engine: Engine
    split: Split
    scale: Num
    """Share of throughput left after the network front (several nodes)."""

    def central(self) -> "ServingFleet":
        """Medians instead of draws, so that a search prices one curve."""
        split = replace(
            self.split,
            prefill_s=median(self.split.prefill_s),
            prefill_requests_per_s=median(self.split.prefill_requests_per_s),
            transfer_s=median(self.split.transfer_s),
        )
        return ServingFleet(self.engine.central(), split, median(self.scale))

    def saturation(self) -> Num:
        """Requests per second of the whole fleet."""
        decode = self.engine.saturation() * self.split.decode_replicas
        return np.minimum(decode, self.split.prefill_requests_per_s) * self.scale


def build_fleet(
    machine: Machine,
    model: ModelShape,
    traffic: Traffic,
    plan: ServingPlan,
    c: Constants,
    chips: int,
) -> ServingFleet:
    engine = build_engine(machine, model, traffic, plan, c, mixed=not plan.prefill_chips)
    split = split_chips(machine, model, traffic, plan, engine, chips)
    front = 1.0 - c["serving.any.network_front_share"] if plan.nodes > 1 else 1.0
    return ServingFleet(engine, split, front)


def steady(fleet: ServingFleet, traffic: Traffic, load: Num, slo: Slo, c: Constants) -> Steady:
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
    return Steady(flight.wait_s + first, time / gain, worst / gain, flight.mean, time)


def median(value: Num) -> float:
    return float(np.median(value))


def meets(fleet: ServingFleet, traffic: Traffic, load: float, slo: Slo, c: Constants) -> bool:
    now = steady(fleet, traffic, load, slo, c)
    ok = slo.ttft_s is None or median(now.ttft_s) <= slo.ttft_s
    return ok and (slo.tpot_s is None or median(now.tpot_quantile_s) <= slo.tpot_s)


def feasible_load(fleet: ServingFleet, traffic: Traffic, slo: Slo, c: Constants) -> float:
    """Largest fleet load within objectives and utilisation limit; 0 if none (central)."""
    top = median(fleet.saturation()) * median(c["serving.any.max_utilisation"])
    if meets(fleet, traffic, top, slo, c):
        return top
    low, high = 0.0, top
    if not meets(fleet, traffic, top * LIGHT, slo, c):
        return 0.0
    for _ in range(24):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if meets(fleet, traffic, middle, slo, c) else (low, middle)
    return low


def refuse_objectives(fleet: ServingFleet, traffic: Traffic, slo: Slo, c: Constants) -> None:
    light = steady(fleet, traffic, median(fleet.saturation()) * LIGHT, slo, c)
    words = []
    if slo.ttft_s is not None and median(light.ttft_s) > slo.ttft_s:
        words.append(f"ttft_s = {median(light.ttft_s):.3g}")
    if slo.tpot_s is not None and median(light.tpot_quantile_s) > slo.tpot_s:
        words.append(f"tpot_s = {median(light.tpot_quantile_s):.3g}")
    raise InfeasibleError(
        "no load meets the objectives: even one lone request is slower than "
        f"ttft_s = {slo.ttft_s} and tpot_s = {slo.tpot_s} ask",
        ", ".join(words) or "looser objectives",
    )
