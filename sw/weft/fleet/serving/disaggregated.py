"""Prefill on some chips, decode on others: how the two pools share the chips and the load."""

from dataclasses import dataclass

import numpy as np

from weft.fleet.errors import InfeasibleError
from weft.fleet.machines import Machine, operand_bytes
from weft.fleet.models import ModelShape
from weft.fleet.quantity import Num
from weft.fleet.serving.engine import Engine
from weft.fleet.serving.request import ServingPlan, Traffic

__all__ = ["Split", "split_chips"]


@dataclass(frozen=True, slots=True)
class Split:
    """Replicas of each pool; without disaggregation prefill is part of every replica."""

    decode_replicas: int
    prefill_replicas: int
    prefill_s: Num
    """Seconds of one request's input on one prefill replica."""
    prefill_requests_per_s: Num
    """What the prefill pool carries (infinite when shared)."""
    transfer_s: Num
    """Cache of one request from its prefill chips to its decode chips."""


def split_chips(
    machine: Machine,
    model: ModelShape,
    traffic: Traffic,
    plan: ServingPlan,
    engine: Engine,
    chips: int,
) -> Split:
    """Divide `chips` into replicas of both pools.

    Raises
    ------
    InfeasibleError
        if chips are not whole replicas, or a pool is empty.
    """
    size = plan.replica_chips
    if chips < size or chips % size:
        raise InfeasibleError(
            f"chips = {chips} are no whole number of replicas of {size} chips",
            f"chips = {max(size, round(chips / size) * size)}",
        )
    if not plan.prefill_chips:
        return Split(chips // size, 0, engine.prefill_s, np.inf, 0.0)
    if plan.prefill_chips % size or plan.prefill_chips >= chips:
        best = min(max(size, round(plan.prefill_chips / size) * size), max(size, chips - size))
        raise InfeasibleError(
            f"prefill_chips = {plan.prefill_chips} must be whole replicas of {size} chips and "
            f"leave some of the {chips} to decode",
            f"prefill_chips = {best}" if chips > size else f"chips = {2 * size}",
        )
    pool = plan.prefill_chips // size
    rate = pool / engine.prefill_s
    cache = model.kv_bytes_per_token(operand_bytes(plan.cache_precision)) * traffic.input_tokens
    link = machine.scaleout
    one_way = cache / plan.tensor / (link.bandwidth_bytes_per_s * link.efficiency)
    return Split(
        (chips - plan.prefill_chips) // size,
        pool,
        engine.prefill_s,
        rate,
        link.latency_s + one_way,
    )
