"""One iteration of a continuous-batching engine: decode tokens and prefill tokens together.

Matrix products run over all tokens of the iteration at once (weights are read once); attention is
apart for the two kinds. The result is for one chip of the replica.
"""

from dataclasses import replace

import numpy as np

from weft.fleet.constants import Constants
from weft.fleet.machines import Machine, operand_bytes
from weft.fleet.models import ModelShape
from weft.fleet.operators import OpCost, all_reduce, all_to_all, attention, gemm, total, vector_op
from weft.fleet.serving.request import ServingPlan, Traffic
from weft.fleet.workload import inference_pass

__all__ = ["iteration", "serving_machine"]


def serving_machine(machine: Machine, plan: ServingPlan, c: Constants) -> Machine:
    """The machine as a serving engine sees it.

    GPUs: small all-reduces use one-shot kernels instead of the library's
    (`serving.gpu.all_reduce_latency_us`). Unswitched nodes lose link bandwidth to the partners
    outside the group, and reduction in the switch.
    """
    link = machine.scaleup
    if machine.kind == "gpu":
        one_shot = c["serving.gpu.all_reduce_latency_us"] * 1e-6
        link = replace(link, latency_s=np.minimum(link.latency_s, one_shot))
    if not plan.switched and plan.node_chips > 1:
        share = max(1, plan.tensor - 1) / (plan.node_chips - 1)
        link = replace(
            link,
            bandwidth_bytes_per_s=link.bandwidth_bytes_per_s * min(1.0, share),
            in_network_gain=1.0,
        )
    return replace(machine, scaleup=link)


def _experts(
    machine: Machine, model: ModelShape, plan: ServingPlan, tokens: int, c: Constants
) -> list[OpCost]:
    """One MoE layer on one chip: dispatch, its experts over all groups' tokens, combine."""
    d = model.d_model
    everyone = tokens * plan.expert
    share = model.top_k / model.experts
    active = max(1.0, model.experts * (1.0 - (1.0 - share) ** everyone))
    local = max(1, round(active / plan.expert))
    skew = c.number("serving.any.expert_imbalance_x") if plan.expert > 1 else 1.0
    rows = max(1, round(everyone * model.top_k / active * skew))
    wide = max(1, model.moe_d_ff // plan.tensor)
    gates = 2 if model.gated_mlp else 1

    def product(name: str, k: int, n: int, m: int, batch: int = 1) -> OpCost:
        return gemm(machine, m, k, n, precision=plan.precision, batch=batch, name=name)

    ops = [
        product("router", d, model.experts, tokens),
        product("experts_up", d, gates * wide, rows, local),
        vector_op(machine, "swiglu" if model.gated_mlp else "gelu", rows * local * wide),
        product("experts_down", wide, d, rows, local),
    ]
    if model.shared_experts:
        shared = model.shared_experts * wide
        ops += [
            product("shared_up", d, gates * shared, tokens),
            product("shared_down", shared, d, tokens),
        ]
    if plan.expert > 1:
        sent = 1.0 * tokens * model.top_k * d / plan.tensor
        chips = plan.replica_chips
        ops += [
            all_to_all(machine, sent * operand_bytes(plan.precision), chips, name="dispatch"),
            all_to_all(machine, sent * 2.0, chips, name="combine"),
        ]
    return ops


def iteration(
    machine: Machine,
    model: ModelShape,
    traffic: Traffic,
    plan: ServingPlan,
    c: Constants,
    *,
    decode: int,
    prefill_tokens: int,
) -> OpCost:
    """Cost of one iteration on one chip (`machine` from `serving_machine`).

    Parameters
    ----------
    decode : int
        Sequences of the replica that decode (0: a pure prefill iteration).
    prefill_tokens : int
        New input tokens of the replica in this iteration.
    """
    d, tp = model.d_model, plan.tensor
    checks = 1 + (plan.speculation.draft_tokens if plan.speculation else 0)
    sequences = -(-decode // plan.expert)
    chunk = -(-prefill_tokens // plan.expert)
    tokens = sequences * checks + chunk
    kv_bytes = operand_bytes(plan.cache_precision)
    heads, kv_heads = model.heads // tp, max(1, model.kv_heads // tp)
    latent = bool(model.kv_lora_rank)

    def product(name: str, k: int, n: int) -> OpCost:
        return gemm(machine, tokens, k, n, precision=plan.precision, name=name)

    block = [
        vector_op(machine, "rmsnorm", tokens * d),
        *(product(name, k, n) for name, k, n in model.projections(tp)),
    ]
    if sequences:
        block.append(
            attention(
                machine,
                batch=sequences,
                queries=checks,
                keys=traffic.mean_context,
                heads=heads,
                kv_heads=1 if latent else kv_heads,
                head_dim=model.kv_lora_rank + model.rope_dim if latent else model.head_dim,
                precision=plan.precision,
                kv_bytes=kv_bytes,
                latent=latent,
                name="attention_decode",
            )
        )
    if chunk:
        queries = min(chunk, traffic.input_tokens)
        block.append(
            attention(
                machine,
                batch=max(1, round(chunk / queries)),
                queries=queries,
                keys=traffic.input_tokens,
                heads=heads,
                kv_heads=kv_heads,
                head_dim=model.head_dim,
                precision=plan.precision,
                kv_bytes=kv_bytes,
                causal=True,
                causal_share=0.5 * (1.0 + traffic.cached_input_share),
                name="attention_prefill",
            )
        )
    block += [
        product("attention_out", heads * model.head_dim, d),
        vector_op(machine, "rmsnorm", tokens * d),
    ]
    if tp > 1:
        block.append(all_reduce(machine, 2.0 * tokens * d, tp).times(2))
    ops = [op.times(model.layers) for op in block]
    if model.dense_layers:
        wide = model.d_ff // tp
        gates = 2 if model.gated_mlp else 1
        dense = [
            product("mlp_up", d, gates * wide),
            vector_op(machine, "swiglu" if model.gated_mlp else "gelu", tokens * wide),
            product("mlp_down", wide, d),
        ]
        ops += [op.times(model.dense_layers) for op in dense]
    if model.moe_layers:
        ops += [op.times(model.moe_layers) for op in _experts(machine, model, plan, tokens, c)]
    finishing = max(1, round(chunk / traffic.input_tokens)) if chunk else 0
    outputs = max(1, sequences * checks + finishing)
    vocab = max(1, model.vocab // tp)
    ops.append(gemm(machine, outputs, d, vocab, precision=plan.precision, name="lm_head"))
    spec = plan.speculation
    if spec is not None and spec.draft is not None and sequences:
        draft = inference_pass(
            machine,
            spec.draft,
            phase="decode",
            batch=sequences,
            context=traffic.mean_context,
            precision=plan.precision,
            kv_precision=plan.cache_precision,
            tp=tp,
        )
        ops.append(draft.total.times(spec.draft_tokens, "draft"))
    work = total(ops, "iteration")
    slow = 1.0 + c[f"serving.{machine.kind}.framework_slowdown"]
    extra = c[f"serving.{machine.kind}.iteration_overhead_ms"] * 1e-3
    return replace(work, time_s=work.time_s * slow + extra)
