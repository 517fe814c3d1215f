"""Time of one training step: pipeline, bubble, tensor/data/context/expert traffic, optimizer.

All stages run `microbatches x (forward + backward + recomputation + exposed traffic)`; the pipeline
adds a bubble of `(p - 1) / v` such units (interleaved schedule, Narayanan 2021). The stage with the
head is compared with the others and the slowest sets the pace.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.machines import Machine
from weft.fleet.models import ModelShape
from weft.fleet.operators import OpCost, all_gather, all_reduce, elementwise, point_to_point
from weft.fleet.quantity import Num
from weft.fleet.training.layer import LayerCost, head_cost, layer_cost
from weft.fleet.training.layout import Layout, check_layout, layers_per_stage
from weft.fleet.training.memory import MemoryUse, check_memory, memory_use, stage_params

__all__ = ["StepCache", "StepResult", "train_step"]

StepCache: TypeAlias = dict[tuple[int | str, ...], tuple[LayerCost, OpCost]]
"""Layer and head costs by (tensor, context, expert, micro-batch, recompute)."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step and where its time goes (seconds; parts add up to `step_s`)."""

    step_s: Num
    compute_s: Num
    recompute_s: Num
    tensor_network_s: Num
    pipeline_send_s: Num
    bubble_s: Num
    data_network_s: Num
    optimizer_s: Num
    """With unfused gradient accumulation."""
    slowdown_s: Num
    """Stragglers, jitter and framework: the fitted factors."""
    model_flops: float
    """Of the step: 3 x forward, attention counted in full (Megatron's convention), no recompute."""
    hardware_flops: float
    """`model_flops` plus recomputation."""
    mfu: Num
    """`model_flops` / (chips x dense peak x step)."""
    hfu: Num
    tflops_per_chip: Num
    """`hardware_flops` per chip and second, 1e12."""
    tokens_per_s: Num
    memory: MemoryUse
    chips: int
    layout: Layout


def _data_traffic(machine: Machine, model: ModelShape, layout: Layout, inside: int) -> Num:
    """Seconds of gradient (and sharded-weight) traffic of one step, before overlap."""
    dense, experts = stage_params(model, layout)
    group = layout.data * layout.context
    near = max(1, inside // layout.tensor)
    time: Num = 0.0
    for params, chips in ((dense, group), (experts, group // layout.expert)):
        if params == 0 or chips == 1:
            continue
        near_here = max(1, min(near, chips))
        if layout.zero == 0:
            time = time + all_reduce(machine, 2.0 * params, chips, scaleup_chips=near_here).time_s
            continue
        one = all_gather(machine, 2.0 * params, chips, scaleup_chips=near_here).time_s
        rounds = 2 if layout.zero < 3 else 1 + 2 * layout.microbatches
        time = time + rounds * one
    return time


def train_step(
    machine: Machine,
    model: ModelShape,
    layout: Layout,
    constants: Constants | None = None,
    *,
    check_fit: bool = True,
    causal_flops: bool = False,
    cache: StepCache | None = None,
) -> StepResult:
    """Cost of one step of `layout`; refuses layouts that do not divide or do not fit.

    `causal_flops` counts attention as executed (half) rather than in full, in the numerators of MFU
    and TFLOPS; the time does not depend on it.
    """
    c = constants if constants is not None else default_constants()
    check_layout(model, layout)
    use = check_memory(machine, model, layout, c) if check_fit else memory_use(model, layout)
    inside = machine.scaleup.chips
    key = (layout.tensor, layout.context, layout.expert, layout.microbatch, layout.recompute)
    if cache is not None and key in cache:
        layer, head = cache[key]
    else:
        layer = layer_cost(machine, model, layout, inside)
        head = head_cost(machine, model, layout)
        if cache is not None:
            cache[key] = (layer, head)
    p, v, m = layout.pipeline, layout.interleave, layout.microbatches
    layers = layers_per_stage(model, layout)
    # where only layers + 2 divide, the last stage gives one layer's place to the head
    last_layers = layers if model.layers % p == 0 else layers - 1
    hide = c["train.any.tensor_overlap"]
    network = layer.network.time_s * (1.0 - hide)
    compute = layer.forward.time_s + layer.backward.time_s
    unit = compute + layer.recomputed.time_s + network
    last = last_layers * unit + head.time_s
    slowest = last if p == 1 else np.maximum(layers * unit, last)
    share = {
        "compute": layers * compute,
        "recompute": layers * layer.recomputed.time_s,
        "network": layers * network,
    }
    rest = slowest - layers * unit
    tokens = layout.microbatch * layout.seq // layout.context
    send: Num = 0.0
    if p > 1:
        size = 2.0 * tokens * model.d_model
        within = layout.tensor * p <= inside
        send = point_to_point(machine, size / layout.tensor, inside=within).time_s
        if layout.tensor > 1 and not layout.sequence_parallel:
            group = min(layout.tensor, inside)
            send = send + all_gather(machine, size, layout.tensor, scaleup_chips=group).time_s
        exposed = 1.0 - c["train.any.pipeline_overlap"] if layout.overlap_pipeline else 1.0
        send = 2.0 * v * send * exposed
    dense, experts = stage_params(model, layout)
    accumulate: Num = 0.0
    if m > 1 and not layout.fused_gradients:
        # read the new gradient, read and write the running one, 2 bytes each
        accumulate = (m - 1) * elementwise(machine, 6.0 * (dense + experts)).time_s
    busy = m * (slowest + send)
    bubble = (p - 1) / v * (slowest + send)
    data = _data_traffic(machine, model, layout, inside)
    if layout.overlap_data and layout.data * layout.context > 1:
        window = m * layers * layer.backward.time_s * c["train.any.data_overlap"]
        data = np.maximum(data - window, c["train.any.data_exposed_floor_fraction"] * data)
    shard = layout.data * layout.context if layout.zero >= 1 else 1
    # Adam: read gradient, master, two moments; write master, two moments, weights
    optimizer = elementwise(machine, 30.0 * (dense + experts) / shard).time_s + accumulate
    ideal = busy + bubble + data + optimizer
    slow = c["train.any.framework_slowdown"] + c["train.any.straggler_per_doubling"] * np.log2(
        max(1, layout.chips / 8)
    )
    step = ideal * (1.0 + slow)
    per_token = model.model_flops_per_token(layout.seq, causal=causal_flops)
    flops = per_token * layout.tokens_per_step
    extra = {"none": 0.0, "full": 1.0 / 3.0, "selective": 0.0}[layout.recompute]
    head_flops = 6.0 * model.vocab * model.d_model * layout.tokens_per_step
    hardware = flops + extra * (flops - head_flops)
    if layout.recompute == "selective" and not layout.fused_attention:
        hardware += 4.0 * model.layers * model.q_width * layout.seq * layout.tokens_per_step
    peak = machine.peak(layout.precision)
    rate = hardware / layout.chips / step
    return StepResult(
        step_s=step,
        compute_s=m * (share["compute"] + rest),
        recompute_s=m * share["recompute"],
        tensor_network_s=m * share["network"],
        pipeline_send_s=m * send,
        bubble_s=bubble,
        data_network_s=data,
        optimizer_s=optimizer,
        slowdown_s=step - ideal,
        model_flops=flops,
        hardware_flops=hardware,
        mfu=flops / layout.chips / step / peak,
        hfu=rate / peak,
        tflops_per_chip=rate / 1e12,
        tokens_per_s=layout.tokens_per_step / step,
        memory=use,
        chips=layout.chips,
        layout=layout,
    )
