"""Operators that memory bounds: norms, softmax, activations, dropout, residuals, embedding,
attention.
"""

import numpy as np

from weft.fleet.errors import FleetError
from weft.fleet.machines import Machine, operand_bytes
from weft.fleet.operators.cost import OpCost
from weft.fleet.operators.gemm import gemm
from weft.fleet.quantity import Num

__all__ = ["VECTOR_OPS", "attention", "elementwise", "embedding", "vector_op"]

VECTOR_OPS: dict[str, tuple[float, float]] = {
    "copy": (2.0, 0.0),
    "add": (3.0, 1.0),
    "gelu": (2.0, 8.0),
    "swiglu": (3.0, 6.0),
    "layernorm": (2.0, 8.0),
    "rmsnorm": (2.0, 5.0),
    "softmax": (2.0, 5.0),
    "dropout_add": (3.5, 2.0),
    "attention_dropout": (2.5, 2.0),
    "rope": (2.0, 6.0),
}
"""Operator -> (operands moved per element, arithmetic per element); dropout moves a mask byte."""


def elementwise(
    machine: Machine,
    memory_bytes: Num,
    flops: Num = 0.0,
    *,
    name: str = "elementwise",
    fraction: Num | None = None,
) -> OpCost:
    """A kernel that streams `memory_bytes` and does `flops` scalar vector operations."""
    share = machine.vector.memory_fraction if fraction is None else fraction
    memory = memory_bytes / (machine.memory_bandwidth_bytes_per_s * share)
    if machine.array is not None:
        array = machine.array
        compute = flops / (array.tiles * array.cols * array.clock_hz)
    else:
        compute = flops / machine.peak_flops["fp32"] if "fp32" in machine.peak_flops else 0.0
    time = machine.vector.overhead_s + np.maximum(compute, memory)
    return OpCost(name, flops, memory_bytes, 0.0, time, compute, memory)


def vector_op(
    machine: Machine, op: str, elements: Num, *, width_bytes: float = 2.0, name: str | None = None
) -> OpCost:
    """A named vector operator over `elements` (see `VECTOR_OPS`)."""
    if op not in VECTOR_OPS:
        raise FleetError(f"vector operator must be one of {', '.join(VECTOR_OPS)}, not {op!r}")
    moved, work = VECTOR_OPS[op]
    softmax = machine.vector.softmax_fraction if op == "softmax" else None
    return elementwise(
        machine, moved * width_bytes * elements, work * elements, name=name or op, fraction=softmax
    )


def embedding(machine: Machine, lookups: Num, row_bytes: Num, *, name: str = "embedding") -> OpCost:
    """Gather of `lookups` rows at random: each row costs whole 64-byte bursts in, itself out."""
    touched = np.ceil(row_bytes / 64.0) * 64.0
    return elementwise(machine, lookups * (touched + row_bytes), 0.0, name=name)


def attention(
    machine: Machine,
    *,
    batch: int,
    queries: int,
    keys: int,
    heads: int,
    kv_heads: int,
    head_dim: int,
    precision: str = "bf16",
    kv_bytes: float | None = None,
    causal: bool = False,
    causal_share: float | None = None,
    fused: bool = True,
    latent: bool = False,
    name: str = "attention",
) -> OpCost:
    """Scaled dot-product attention: scores, softmax, weighted sum.

    `fused` keeps the scores on chip (FlashAttention on a GPU, the tile's scratchpad on Weft): DRAM
    sees only Q, K, V and the result. Otherwise scores go out and come back around a softmax kernel.
    `causal` leaves out the masked part of a fused kernel: of `keys` the last `queries` positions
    attend `keys - (queries - 1) / 2` on average; `causal_share` states the share instead (balanced
    context-parallel chunks: 0.5). `latent`: keys and values are one cache, read once (MLA).
    `kv_bytes` is the width of the cache (default: the operands').
    """
    if heads % kv_heads:
        raise FleetError(f"heads ({heads}) must be a multiple of kv_heads ({kv_heads})")
    width = operand_bytes(precision)
    kv_width = width if kv_bytes is None else kv_bytes
    share = (keys - 0.5 * (queries - 1)) / keys if causal else 1.0
    if causal_share is not None:
        share = causal_share
    if not fused:
        pairs = batch * heads
        return _unfused(machine, pairs, queries, keys, head_dim, precision, name)
    group = heads // kv_heads
    pairs = batch * kv_heads
    rows = queries * group
    # few queries: kernels split the keys over the chip, so the keys are the long side of both
    few = rows < 128
    first = (keys, head_dim, rows) if few else (rows, head_dim, keys)
    second = first if few else (rows, keys, head_dim)
    scores = gemm(machine, *first, precision=precision, batch=pairs, resident=True)
    values = gemm(machine, *second, precision=precision, batch=pairs, resident=True)
    flops = share * (scores.flops + values.flops)
    arithmetic = share * (scores.compute_s + values.compute_s)
    exps = share * 5.0 * batch * heads * queries * keys
    vector = elementwise(machine, 0.0, exps).compute_s
    cache = (1.0 if latent else 2.0) * kv_width * kv_heads * keys * head_dim
    moved = batch * (cache + 2.0 * width * heads * queries * head_dim)
    memory = moved / (machine.memory_bandwidth_bytes_per_s * machine.vector.memory_fraction)
    compute = arithmetic + vector
    time = machine.vector.overhead_s + np.maximum(compute, memory)
    return OpCost(name, flops, moved, 0.0, time, compute, memory)


def _unfused(
    machine: Machine, pairs: int, queries: int, keys: int, dim: int, precision: str, name: str
) -> OpCost:
    """Scores written out, softmax over them, read back."""
    from weft.fleet.operators.cost import total

    width = operand_bytes(precision)
    return total(
        [
            gemm(machine, queries, dim, keys, precision=precision, batch=pairs),
            vector_op(machine, "softmax", 1.0 * pairs * queries * keys, width_bytes=width),
            gemm(machine, queries, keys, dim, precision=precision, batch=pairs),
        ],
        name,
    )
