"""What one replica's memory holds: weights, then cache, then how many sequences."""

from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine, operand_bytes
from weft.fleet.models import ModelShape
from weft.fleet.serving.request import ServingPlan, Traffic
from weft.fleet.workload import check_tensor_parallel

__all__ = ["ServingMemory", "check_plan", "serving_memory"]


@dataclass(frozen=True, slots=True)
class ServingMemory:
    """Bytes per chip, and sequences in flight per replica."""

    weights_bytes: float
    kv_bytes_per_sequence: float
    """On one chip of the replica's tensor group."""
    room_bytes: float
    """For the cache, on one chip."""
    sequences: int
    """That fit in the cache of a whole replica."""


def check_plan(model: ModelShape, plan: ServingPlan) -> None:
    """Refuse a layout that does not divide the model."""
    check_tensor_parallel(model, plan.tensor)
    if plan.expert > 1 and not model.experts:
        raise InfeasibleError(
            f"expert = {plan.expert} needs a mixture of experts and {model.name} is dense",
            "expert = 1",
        )
    if plan.expert > 1 and model.experts % plan.expert:
        good = [e for e in range(1, model.experts + 1) if model.experts % e == 0]
        nearest = min(good, key=lambda e: (abs(e - plan.expert), e))
        raise InfeasibleError(
            f"expert = {plan.expert} must divide the {model.experts} experts",
            f"expert = {nearest}",
        )


def _weights(model: ModelShape, plan: ServingPlan) -> float:
    """Bytes of weights on one chip: experts over the replica, the rest over the tensor group."""
    experts = model.moe_layers * model.experts * model.expert_params
    rest = model.params - experts
    share = rest / plan.tensor + experts / (plan.tensor * plan.expert)
    draft = plan.speculation.draft.params if plan.speculation and plan.speculation.draft else 0
    return (share + draft / plan.tensor) * operand_bytes(plan.precision)


def _cache(model: ModelShape, plan: ServingPlan, tokens: float) -> float:
    """Cache bytes of one sequence on one chip; a latent cache is repeated on every chip."""
    whole = model.kv_bytes_per_token(operand_bytes(plan.cache_precision)) * tokens
    split = 1 if model.kv_lora_rank else min(plan.tensor, model.kv_heads)
    return whole / split


def serving_memory(
    machine: Machine, model: ModelShape, traffic: Traffic, plan: ServingPlan, c: Constants
) -> ServingMemory:
    """What fits (central values).

    Raises
    ------
    InfeasibleError
        if weights and one sequence do not fit; names the tensor width that does.
    """
    check_plan(model, plan)
    usable = 1.0 - c.number("serving.any.memory_reserve_fraction")
    capacity = float(np.median(machine.memory_bytes)) * usable
    tokens = traffic.input_tokens + 0.5 * traffic.output_tokens

    def room(width: int) -> tuple[float, float, float]:
        from dataclasses import replace

        other = replace(plan, tensor=width)
        weights = _weights(model, other)
        return weights, capacity - weights, _cache(model, other, tokens)

    weights, left, one = room(plan.tensor)
    peak_one = one * (traffic.input_tokens + traffic.output_tokens) / tokens
    if left < peak_one:
        reason = (
            f"{model.name} at tensor = {plan.tensor} needs {weights / 1e9:.1f} GB of weights and "
            f"{peak_one / 1e9:.2f} GB of cache per sequence, and {machine.name} has "
            f"{capacity / 1e9:.1f} GB to give"
        )
        width = model.d_ff if model.dense_layers else model.moe_d_ff
        for wider in range(plan.tensor + 1, model.heads + 1):
            if model.heads % wider or width % wider:
                continue
            _, more, each = room(wider)
            if more >= each * (traffic.input_tokens + traffic.output_tokens) / tokens:
                raise InfeasibleError(reason, f"tensor = {wider}")
        raise InfeasibleError(reason, "a chip with more memory, or a narrower precision")
    fit = int(left / one) * plan.expert
    if plan.max_batch is not None and plan.max_batch > fit:
        raise InfeasibleError(
            f"max_batch = {plan.max_batch} sequences do not fit: the cache of one replica holds "
            f"{fit}",
            f"max_batch = {fit}",
        )
    if fit < 1:
        raise FleetError(f"{model.name} leaves no room for a sequence on {machine.name}")
    return ServingMemory(weights, one, left, fit)
