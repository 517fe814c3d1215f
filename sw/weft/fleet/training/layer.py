"""Operators of one transformer layer in training, forward and backward, on one chip."""

from dataclasses import dataclass

from weft.fleet.machines import Machine
from weft.fleet.models import ModelShape
from weft.fleet.operators import (
    OpCost,
    all_gather,
    all_reduce,
    all_to_all,
    attention,
    elementwise,
    gemm,
    total,
    vector_op,
)
from weft.fleet.training.layout import Layout

__all__ = ["LayerCost", "head_cost", "layer_cost"]


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One layer, one micro-batch, one chip."""

    forward: OpCost
    backward: OpCost
    recomputed: OpCost
    """What `recompute` adds to the backward pass."""
    network: OpCost
    """Tensor-, context- and expert-parallel traffic of forward, backward and recomputation."""


def _pair(
    machine: Machine, m: int, k: int, n: int, precision: str, name: str, batch: int = 1
) -> tuple[OpCost, OpCost]:
    """Forward product and its two gradients (data: `(m, n, k)`, weights: `(k, m, n)`)."""
    forward = gemm(machine, m, k, n, precision=precision, name=name, batch=batch)
    back = total(
        [
            gemm(machine, m, n, k, precision=precision, name=name, batch=batch),
            gemm(machine, k, m, n, precision=precision, name=name, batch=batch),
        ],
        name,
    )
    return forward, back


def _vector(
    machine: Machine, op: str, elements: float, backward_factor: float
) -> tuple[OpCost, OpCost]:
    """A vector operator and its gradient, which moves `backward_factor` times as much."""
    forward = vector_op(machine, op, elements)
    back = elementwise(
        machine,
        forward.memory_bytes * backward_factor,
        forward.flops * backward_factor,
        name=op,
        fraction=machine.vector.softmax_fraction if op == "softmax" else None,
    )
    return forward, back


def _attention_core(machine: Machine, model: ModelShape, layout: Layout) -> tuple[OpCost, OpCost]:
    """Scores, softmax, dropout, weighted sum; forward and backward."""
    heads = model.heads // layout.tensor
    kv_heads = max(1, model.kv_heads // layout.tensor)
    seq = layout.seq
    local = seq // layout.context
    b = layout.microbatch
    dim = model.head_dim
    if layout.fused_attention:
        forward = attention(
            machine,
            batch=b,
            queries=local,
            keys=seq,
            heads=heads,
            kv_heads=kv_heads,
            head_dim=dim,
            precision=layout.precision,
            causal_share=0.5,
        )
        back = total([forward, forward, elementwise(machine, 0.5 * forward.memory_bytes)], "attn")
        half = OpCost(
            "attn",
            0.5 * forward.flops,
            0.0,
            0.0,
            0.5 * forward.time_s,
            0.5 * forward.compute_s,
            0.0,
        )
        return forward, total([back, half], "attention_backward")
    pairs = b * heads
    scores = _pair(machine, local, dim, seq, layout.precision, "scores", pairs)
    values = _pair(machine, local, seq, dim, layout.precision, "values", pairs)
    cells = float(pairs) * local * seq
    softmax = _vector(machine, "softmax", cells, 1.5)
    parts = [scores, values, softmax]
    if layout.dropout:
        parts.append(_vector(machine, "attention_dropout", cells, 1.0))
    return total([p[0] for p in parts], "attention"), total([p[1] for p in parts], "attention")


def _network(machine: Machine, model: ModelShape, layout: Layout, inside: int) -> list[OpCost]:
    """Collectives of one layer: forward, backward, and those of a full recomputation."""
    tokens = layout.microbatch * layout.seq // layout.context
    size = 2.0 * tokens * model.d_model
    passes = 3 if layout.recompute == "full" else 2
    ops = []
    if layout.tensor > 1:
        group = min(layout.tensor, inside)
        if layout.sequence_parallel:
            one = all_gather(machine, size, layout.tensor, scaleup_chips=group)
            # backward gathers the layer's input once more for the weight gradients
            ops.append(one.times(4 * passes + 1, "tensor_gather_scatter"))
        else:
            one = all_reduce(machine, size, layout.tensor, scaleup_chips=group)
            ops.append(one.times(2 * passes, "tensor_all_reduce"))
    if layout.context > 1:
        kv = 2.0 * 2.0 * layout.microbatch * layout.seq * model.kv_width / layout.tensor
        near = max(1, inside // layout.tensor)
        one = all_gather(machine, kv, layout.context, scaleup_chips=min(near, layout.context))
        ops.append(one.times(passes, "context_gather"))
    if layout.expert > 1 and model.moe_layers:
        share = model.moe_layers / model.layers
        near = max(1, inside // (layout.tensor * layout.context))
        sent = size / layout.tensor * model.top_k * share
        one = all_to_all(machine, sent, layout.expert, scaleup_chips=min(near, layout.expert))
        ops.append(one.times(2 * passes, "expert_all_to_all"))
    return ops


def _mlp(
    machine: Machine, model: ModelShape, layout: Layout, tokens: int
) -> list[tuple[OpCost, OpCost]]:
    """MLP operators, a dense layer and an MoE layer mixed by their share of the layers."""
    d, t, p = model.d_model, layout.tensor, layout.precision
    gates = 2 if model.gated_mlp else 1
    act = "swiglu" if model.gated_mlp else "gelu"
    parts: list[tuple[float, tuple[OpCost, OpCost]]] = []
    if model.dense_layers:
        share = model.dense_layers / model.layers
        wide = model.d_ff // t
        parts += [
            (share, _pair(machine, tokens, d, gates * wide, p, "mlp_up")),
            (share, _pair(machine, tokens, wide, d, p, "mlp_down")),
            (share, _vector(machine, act, float(tokens * wide), 1.5)),
        ]
    if model.moe_layers:
        share = model.moe_layers / model.layers
        local = max(1, model.experts // layout.expert)
        wide = max(1, model.moe_d_ff // t)
        rows = max(1, tokens * model.top_k // local)
        parts += [
            (share, _pair(machine, tokens, d, model.experts, p, "router")),
            (share, _pair(machine, rows, d, gates * wide, p, "experts_up", local)),
            (share, _pair(machine, rows, wide, d, p, "experts_down", local)),
            (share, _vector(machine, act, float(rows * local * wide), 1.5)),
            (share, _vector(machine, "copy", 2.0 * tokens * model.top_k * d, 1.0)),
        ]
        if model.shared_experts:
            wide *= model.shared_experts
            parts += [
                (share, _pair(machine, tokens, d, gates * wide, p, "shared_up")),
                (share, _pair(machine, tokens, wide, d, p, "shared_down")),
            ]
    return [(_scaled(f, share), _scaled(b, share)) for share, (f, b) in parts]


def _scaled(cost: OpCost, share: float) -> OpCost:
    if share == 1.0:
        return cost
    return OpCost(
        cost.name,
        cost.flops * share,
        cost.memory_bytes * share,
        cost.network_bytes * share,
        cost.time_s * share,
        cost.compute_s * share,
        cost.memory_s * share,
        cost.calls,
    )


def layer_cost(
    machine: Machine, model: ModelShape, layout: Layout, inside: int | None = None
) -> LayerCost:
    """Cost of one layer for one micro-batch.

    `inside`: chips of the job that share a scale-up domain (default: the machine's).
    """
    inside = machine.scaleup.chips if inside is None else inside
    tokens = layout.microbatch * layout.seq // layout.context
    d, t = model.d_model, layout.tensor
    heads = model.heads // t
    kv_heads = max(1, model.kv_heads // t)
    p = layout.precision
    outer = tokens * d / (t if layout.sequence_parallel else 1)
    residual = "dropout_add" if layout.dropout else "add"
    norm = "rmsnorm" if model.gated_mlp else "layernorm"
    pairs = [
        _vector(machine, norm, outer, 1.5),
        *(_pair(machine, tokens, k, n, p, name) for name, k, n in model.projections(t)),
        _pair(machine, tokens, heads * model.head_dim, d, p, "attention_out"),
        _vector(machine, residual, outer, 1.0),
        _vector(machine, norm, outer, 1.5),
        *_mlp(machine, model, layout, tokens),
        _vector(machine, residual, outer, 1.0),
    ]
    if model.gated_mlp:
        pairs.append(
            _vector(machine, "rope", float(tokens * (heads + kv_heads) * model.head_dim), 1.0)
        )
    core = _attention_core(machine, model, layout)
    forward = total([*(f for f, _ in pairs), core[0]], "forward")
    backward = total([*(b for _, b in pairs), core[1]], "backward")
    nothing = OpCost("recomputed", 0.0, 0.0, 0.0, 0.0)
    recomputed = {"none": nothing, "selective": core[0], "full": forward}[layout.recompute]
    if layout.recompute == "selective" and layout.fused_attention:
        recomputed = nothing
    network = total(_network(machine, model, layout, inside), "network")
    return LayerCost(forward, backward, recomputed, network)


def head_cost(machine: Machine, model: ModelShape, layout: Layout) -> OpCost:
    """Final norm, logits, loss, and embedding gradient of one micro-batch, forward and backward."""
    tokens = layout.microbatch * layout.seq // layout.context
    vocab = max(1, -(-model.vocab // layout.tensor))
    forward, back = _pair(machine, tokens, model.d_model, vocab, layout.precision, "logits")
    # the loss streams the logits in fp32: read twice, write, and once more in the backward pass
    loss = elementwise(machine, 4.0 * 4.0 * tokens * vocab, 6.0 * tokens * vocab, name="loss")
    lookup = elementwise(machine, 3.0 * 2.0 * tokens * model.d_model, name="embedding")
    return total([forward, back, loss, lookup], "head")
