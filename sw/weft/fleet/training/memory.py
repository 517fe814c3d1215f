"""Memory of one chip in training: weights, gradients, optimizer, activations.

Weights and gradients 2 bytes each (mixed precision, gradients accumulated in fp32 when replicated),
Adam 12 bytes (fp32 master copy and two moments). Activations per layer and micro-batch after
Korthikanti et al. 2022, Table 2: `s b h (10 + 24/t + 5 a s / (h t))` and its sequence-parallel and
recomputed variants; without dropout 4 of the 34 bytes go.
"""

from dataclasses import dataclass, replace

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import InfeasibleError
from weft.fleet.machines import Machine
from weft.fleet.models import ModelShape
from weft.fleet.training.layout import Layout, layers_per_stage

__all__ = ["MemoryUse", "check_memory", "memory_use", "room_bytes", "stage_params"]


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Bytes per chip of the fullest pipeline stage."""

    weights_bytes: float
    gradients_bytes: float
    optimizer_bytes: float
    activations_bytes: float

    @property
    def total_bytes(self) -> float:
        return (
            self.weights_bytes
            + self.gradients_bytes
            + self.optimizer_bytes
            + self.activations_bytes
        )


def stage_params(model: ModelShape, layout: Layout) -> tuple[float, float]:
    """(dense, expert) parameters of one chip on the first pipeline stage."""
    layers = layers_per_stage(model, layout)
    share = layers / model.layers
    expert_total = model.moe_layers * model.experts * model.expert_params
    body = model.params - expert_total - model.embedding_params
    embedding = model.vocab * model.d_model * (2 if layout.pipeline == 1 else 1)
    if model.tied_embeddings:
        embedding = model.vocab * model.d_model
    dense = (body * share + embedding) / layout.tensor
    return dense, expert_total * share / (layout.tensor * layout.expert)


def activation_bytes_per_layer(model: ModelShape, layout: Layout) -> float:
    """Bytes one layer keeps of one micro-batch for the backward pass."""
    t = layout.tensor
    tokens = layout.microbatch * layout.seq / layout.context
    h = model.d_model
    if layout.recompute == "full":
        return 2.0 * tokens * h / (t if layout.sequence_parallel else 1)
    wide = model.d_ff if model.dense_layers else model.moe_d_ff * max(1, model.top_k)
    outer = (10.0 if layout.dropout else 8.0) * h
    inner = 2.0 * (h + model.q_width + 2 * model.kv_width) + 2.0 * model.q_width
    # both MLP inputs of the activation; a gated product is recomputed from them
    inner += 2.0 * wide * 2
    kept = outer / (t if layout.sequence_parallel else 1) + inner / t
    if not layout.fused_attention and layout.recompute == "none":
        kept += (5.0 if layout.dropout else 4.0) * model.heads * layout.seq / t
    return tokens * kept


def memory_use(model: ModelShape, layout: Layout) -> MemoryUse:
    """Bytes per chip on the first stage, which holds `pipeline` micro-batches in flight."""
    dense, experts = stage_params(model, layout)
    params = dense + experts
    replicas = layout.data * layout.context
    spread = dense / replicas + experts * layout.expert / replicas
    weights = 2.0 * (spread if layout.zero >= 3 else params)
    gradients = (2.0 if layout.zero >= 2 else 4.0) * (spread if layout.zero >= 2 else params)
    optimizer = 12.0 * (spread if layout.zero >= 1 else params)
    if layout.zero == 0:
        gradients = 2.0 * params
    in_flight = min(layout.microbatches, layout.pipeline)
    extra = 1.0
    if layout.interleave > 1:
        extra += (layout.pipeline - 1) / (layout.pipeline * layout.interleave)
    layers = layers_per_stage(model, layout)
    one = activation_bytes_per_layer(model, layout)
    working = one
    if layout.recompute == "full":
        working = activation_bytes_per_layer(model, replace(layout, recompute="none"))
    head = 0.0
    if layout.pipeline == 1:
        tokens = layout.microbatch * layout.seq / layout.context
        head = tokens * (4.0 * model.vocab / layout.tensor + 4.0 * model.d_model)
    activations = one * layers * in_flight * extra + working + head
    return MemoryUse(weights, gradients, optimizer, activations)


def room_bytes(machine: Machine, constants: Constants | None = None) -> float:
    """Memory of a chip that a job may use: all but the reserve (central values)."""
    c = constants if constants is not None else default_constants()
    reserve = c.number("train.any.memory_reserve_fraction")
    return float(np.median(machine.memory_bytes)) * (1.0 - reserve)


def check_memory(
    machine: Machine, model: ModelShape, layout: Layout, constants: Constants | None = None
) -> MemoryUse:
    """Memory use, or a refusal that names the nearest layout which fits.

    Raises
    ------
    InfeasibleError
        when the chip's memory (less the reserve) is smaller than the use.
    """
    use = memory_use(model, layout)
    room = room_bytes(machine, constants)
    if use.total_bytes <= room:
        return use
    reason = (
        f"the layout needs {use.total_bytes / 1e9:.1f} GB per chip "
        f"(weights {use.weights_bytes / 1e9:.1f}, gradients {use.gradients_bytes / 1e9:.1f}, "
        f"optimizer {use.optimizer_bytes / 1e9:.1f}, activations "
        f"{use.activations_bytes / 1e9:.1f}) and {machine.name} has {room / 1e9:.1f} GB to give"
    )
    for words, other in (
        ("recompute = 'selective'", replace(layout, recompute="selective")),
        ("recompute = 'full'", replace(layout, recompute="full")),
        ("recompute = 'full', zero = 3", replace(layout, recompute="full", zero=3)),
        (
            "recompute = 'full', zero = 3, microbatch = 1",
            replace(layout, recompute="full", zero=3, microbatch=1),
        ),
    ):
        if memory_use(model, other).total_bytes <= room:
            raise InfeasibleError(reason, words)
    width = layout.tensor
    while width * 2 <= model.heads and model.heads % (width * 2) == 0:
        width *= 2
        other = replace(layout, tensor=width, recompute="full", zero=3, microbatch=1)
        if memory_use(model, other).total_bytes <= room:
            raise InfeasibleError(reason, f"tensor = {width}, recompute = 'full', zero = 3")
    raise InfeasibleError(reason, f"{use.total_bytes / room:.1f} times as many chips in pipeline")
