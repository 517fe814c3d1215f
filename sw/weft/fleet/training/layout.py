"""How a training job is spread over chips, and what may not be."""

from dataclasses import dataclass, replace

from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.models import ModelShape

__all__ = ["RECOMPUTE", "Layout", "check_layout", "layers_per_stage"]

RECOMPUTE = ("none", "selective", "full")
"""`selective` recomputes the attention core only (Korthikanti 2022); `full` the whole layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Parallelism, batch and memory policy of one training job."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    context: int = 1
    """Chips that share a sequence."""
    expert: int = 1
    """Chips that share the experts of a layer; they are taken from the data-parallel chips."""
    interleave: int = 1
    """Virtual stages per pipeline stage."""
    microbatch: int = 1
    """Sequences per micro-batch and data-parallel replica."""
    global_batch: int = 1
    """Sequences per step."""
    seq: int = 2048
    recompute: str = "none"
    sequence_parallel: bool = True
    """Norms and dropout sharded over the tensor group."""
    zero: int = 1
    """ZeRO stage: 0 replicated, 1 optimizer, 2 + gradients, 3 + weights sharded over data."""
    fused_attention: bool = True
    """FlashAttention-like kernels; otherwise scores go through memory."""
    overlap_data: bool = True
    """Gradient and weight traffic hides behind the backward pass."""
    overlap_pipeline: bool = True
    """Sends between stages hide behind the next micro-batch (Megatron-LM: since 2023)."""
    fused_gradients: bool = True
    """Weight-gradient products add into the gradient themselves (Megatron-LM: since 2022)."""
    dropout: bool = False
    precision: str = "bf16"

    @property
    def chips(self) -> int:
        return self.tensor * self.pipeline * self.data * self.context

    @property
    def microbatches(self) -> int:
        """Micro-batches each replica runs per step."""
        return self.global_batch // (self.data * self.microbatch)

    @property
    def tokens_per_step(self) -> int:
        return self.global_batch * self.seq


def layers_per_stage(model: ModelShape, layout: Layout) -> int:
    """Layers of the fullest stage; embedding and head may stand in for one layer each.

    A model whose layers + 2 divide (Llama 3 405B: 126 on 16 stages) leaves one layer out of the
    first and the last stage.
    """
    return -(-model.layers // layout.pipeline)


def _divides(what: str, value: int, by: int, key: str) -> None:
    if by < 1 or value % by:
        good = [d for d in range(1, value + 1) if value % d == 0]
        nearest = min(good, key=lambda d: (abs(d - by), d))
        raise InfeasibleError(
            f"{key} = {by} must divide the {what} ({value})", f"{key} = {nearest}"
        )


def check_layout(model: ModelShape, layout: Layout, chips: int | None = None) -> None:
    """Refuse a layout that does not divide the model or the batch.

    Raises
    ------
    InfeasibleError
        with the reason and the nearest feasible value of the offending key.
    """
    for key in ("tensor", "pipeline", "data", "context", "expert", "interleave", "microbatch"):
        if getattr(layout, key) < 1:
            raise InfeasibleError(
                f"{key} = {getattr(layout, key)} must be at least 1", f"{key} = 1"
            )
    if layout.recompute not in RECOMPUTE:
        raise FleetError(
            f"recompute must be one of {', '.join(RECOMPUTE)}, not {layout.recompute!r}"
        )
    if layout.zero not in (0, 1, 2, 3):
        raise FleetError(f"zero must be 0, 1, 2 or 3, not {layout.zero}")
    _divides("heads", model.heads, layout.tensor, "tensor")
    if model.dense_layers:
        _divides("MLP width", model.d_ff, layout.tensor, "tensor")
    _divides("sequence", layout.seq, layout.context, "context")
    if layout.pipeline > model.layers:
        raise InfeasibleError(
            f"pipeline = {layout.pipeline} exceeds the {model.layers} layers",
            f"pipeline = {model.layers}",
        )
    even = model.layers % layout.pipeline == 0 or (model.layers + 2) % layout.pipeline == 0
    if not even:
        good = [
            p
            for p in range(1, model.layers + 1)
            if model.layers % p == 0 or (model.layers + 2) % p == 0
        ]
        nearest = min(good, key=lambda p: (abs(p - layout.pipeline), p))
        raise InfeasibleError(
            f"pipeline = {layout.pipeline} must divide the {model.layers} layers "
            "(or layers + 2, with embedding and head as one layer each)",
            f"pipeline = {nearest}",
        )
    stage = layers_per_stage(model, layout)
    if layout.interleave > 1 and layout.pipeline == 1:
        raise InfeasibleError("interleave > 1 needs a pipeline", "interleave = 1")
    if stage % layout.interleave:
        good = [v for v in range(1, stage + 1) if stage % v == 0]
        nearest = min(good, key=lambda v: (abs(v - layout.interleave), v))
        raise InfeasibleError(
            f"interleave = {layout.interleave} must divide the {stage} layers of a stage",
            f"interleave = {nearest}",
        )
    if layout.expert > 1:
        if not model.experts:
            raise InfeasibleError("expert > 1 needs a mixture-of-experts model", "expert = 1")
        _divides("experts", model.experts, layout.expert, "expert")
        _divides("data-parallel chips", layout.data, layout.expert, "expert")
    per_round = layout.data * layout.microbatch
    if layout.global_batch < per_round or layout.global_batch % per_round:
        nearest = max(per_round, round(layout.global_batch / per_round) * per_round)
        raise InfeasibleError(
            f"global_batch = {layout.global_batch} must be a multiple of data x microbatch "
            f"({layout.data} x {layout.microbatch})",
            f"global_batch = {nearest}",
        )
    if layout.interleave > 1 and layout.microbatches % layout.pipeline:
        nearest = max(1, round(layout.microbatches / layout.pipeline)) * layout.pipeline
        raise InfeasibleError(
            f"interleaving needs micro-batches ({layout.microbatches}) in multiples of pipeline "
            f"({layout.pipeline})",
            f"global_batch = {nearest * per_round}",
        )
    if chips is not None and layout.chips != chips:
        share = layout.tensor * layout.pipeline * layout.context
        nearest_layout = replace(layout, data=max(1, chips // share))
        raise InfeasibleError(
            f"tensor x pipeline x data x context = {layout.chips} must equal the {chips} chips",
            f"data = {nearest_layout.data} ({nearest_layout.chips} chips)",
        )
