"""What a transformer asks of a chip: the operators of one prefill or decode pass, in order.

One function, `inference_pass`, prices a pass on any machine; serving, power and the first answer
all use it. Tensor-parallel shards divide heads and MLP columns; the result is for one chip of the
group.
"""

from dataclasses import dataclass

from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine, operand_bytes
from weft.fleet.models import ModelShape
from weft.fleet.operators import OpCost, all_reduce, attention, gemm, total, vector_op
from weft.fleet.quantity import Num

__all__ = ["Pass", "check_tensor_parallel", "inference_pass", "weight_bytes"]


@dataclass(frozen=True, slots=True)
class Pass:
    """One forward pass of a batch over all layers, on one chip of a tensor-parallel group."""

    phase: str
    batch: int
    tokens: int
    """New tokens over the whole batch."""
    ops: tuple[OpCost, ...]
    total: OpCost
    time_s: Num


def check_tensor_parallel(model: ModelShape, tp: int) -> None:
    """Refuse a tensor-parallel width that does not divide heads or MLP."""
    if tp < 1:
        raise FleetError(f"tensor_parallel must be at least 1, not {tp}")
    width = model.d_ff if model.dense_layers else model.moe_d_ff
    if model.heads % tp or width % tp:
        good = [t for t in range(1, model.heads + 1) if not (model.heads % t or width % t)]
        nearest = min(good, key=lambda t: (abs(t - tp), t))
        raise InfeasibleError(
            f"tensor_parallel = {tp} must divide the {model.heads} heads and the MLP width {width}",
            f"tensor_parallel = {nearest}",
        )


def weight_bytes(model: ModelShape, precision: str) -> float:
    """Bytes of all weights."""
    return model.params * operand_bytes(precision)


def inference_pass(
    machine: Machine,
    model: ModelShape,
    *,
    phase: str,
    batch: int,
    context: int,
    precision: str = "bf16",
    kv_precision: str | None = None,
    tp: int = 1,
) -> Pass:
    """Operators of one pass.

    Parameters
    ----------
    phase : str
        `prefill`: `context` new tokens per sequence, causal. `decode`: one new token per sequence
        that attends `context` tokens.
    kv_precision : str, optional
        Format of the cache (default: `precision`).

    Notes
    -----
    Mixture-of-experts layers assume balanced routing: an expert sees `tokens top_k / experts` rows,
    and only experts that see a token are read.
    """
    if phase not in ("prefill", "decode"):
        raise FleetError(f"phase must be 'prefill' or 'decode', not {phase!r}")
    if batch < 1 or context < 1:
        raise FleetError(f"batch and context must be at least 1, not {batch} and {context}")
    check_tensor_parallel(model, tp)
    queries = context if phase == "prefill" else 1
    tokens = batch * queries
    kv_width = operand_bytes(kv_precision or precision)
    d, heads = model.d_model, model.heads // tp
    kv_heads = max(1, model.kv_heads // tp)
    absorbed = bool(model.kv_lora_rank) and phase == "decode"

    def product(name: str, k: int, n: int, m: int = tokens, batch: int = 1) -> OpCost:
        return gemm(machine, m, k, n, precision=precision, batch=batch, name=name)

    block = [
        vector_op(machine, "rmsnorm", tokens * d, name="norm_attention"),
        *(product(name, k, n) for name, k, n in model.projections(tp)),
        attention(
            machine,
            batch=batch,
            queries=queries,
            keys=context,
            heads=heads,
            kv_heads=1 if absorbed else kv_heads,
            head_dim=model.kv_lora_rank + model.rope_dim if absorbed else model.head_dim,
            precision=precision,
            kv_bytes=kv_width,
            causal=phase == "prefill",
            latent=absorbed,
        ),
        product("attention_out", heads * model.head_dim, d),
        vector_op(machine, "rmsnorm", tokens * d, name="norm_mlp"),
    ]
    if tp > 1:
        block += [all_reduce(machine, 2.0 * tokens * d, tp, name="all_reduce").times(2)]
    ops = [op.times(model.layers) for op in block]
    gates = 2 if model.gated_mlp else 1
    activation = "swiglu" if model.gated_mlp else "gelu"
    if model.dense_layers:
        wide = model.d_ff // tp
        dense = [
            product("mlp_up", d, gates * wide),
            vector_op(machine, activation, tokens * wide),
            product("mlp_down", wide, d),
        ]
        ops += [op.times(model.dense_layers) for op in dense]
    if model.moe_layers:
        wide = max(1, model.moe_d_ff // tp)
        assignments = tokens * model.top_k
        active = max(1, round(model.experts * (1 - (1 - model.top_k / model.experts) ** tokens)))
        rows = max(1, round(assignments / active))
        moe = [
            product("router", d, model.experts),
            product("experts_up", d, gates * wide, m=rows, batch=active),
            vector_op(machine, activation, assignments * wide),
            product("experts_down", wide, d, m=rows, batch=active),
        ]
        if model.shared_experts:
            shared = model.shared_experts * wide
            moe += [product("shared_up", d, gates * shared), product("shared_down", shared, d)]
        ops += [op.times(model.moe_layers) for op in moe]
    ops.append(product("lm_head", d, max(1, model.vocab // tp), m=batch))
    done = total(ops, phase)
    return Pass(phase, batch, tokens, tuple(ops), done, done.time_s)
