"""Measured single operators on A100: vector kernels, and the operators of a GPT-3 layer."""

from functools import partial
from pathlib import Path

import numpy as np

from weft.fleet.constants import Constants
from weft.fleet.machines import gpu
from weft.fleet.operators import OpCost, all_reduce, gemm, vector_op
from weft.fleet.quantity import Num
from weft.fleet.validate.data import role_of, rows_of
from weft.fleet.validate.table import Case, Table, evaluate

__all__ = ["tables"]

FIT_ELEMENTS = 1 << 27
"""Vector kernels from this size on set the shares of bandwidth."""

TP, WIDTH, HEADS, SEQ, BATCH = 4, 12288, 96, 2048, 8
"""GPT-3 175B on four A100 (LLMCompass): prefill of 8 x 2048, decode at 2048 + 512 on average."""


def _vector_us(op: str, elements: float, c: Constants) -> Num:
    """Microseconds of a vector kernel inside LLMCompass's benchmark."""
    machine = gpu("a100_sxm", c)
    stream = vector_op(machine, op, elements).memory_s * 1e6
    floor = c[f"harness.llmcompass.a100_sxm.{op}_us"]
    start = np.minimum(floor, c["harness.llmcompass.a100_sxm.vector_start_us"])
    return np.maximum(floor, stream + start)


def _vector_table(c: Constants, folder: Path | None) -> list[Table]:
    cases = []
    for row in rows_of("vector_ops_measured", folder):
        if row["device"] != "A100-SXM" or row["op"] not in ("softmax", "layernorm", "gelu"):
            continue
        elements = float(row["dim0"]) * float(row["dim1"] or 1)
        measured = elements / float(row["value"]) / 1e3
        peak = gpu("a100_sxm", c).memory_bandwidth_bytes_per_s
        cases.append(
            Case(
                name=f"{row['op']} {row['dim0']}x{row['dim1'] or 1}",
                measured=measured,
                predict=partial(_vector_us, row["op"], elements),
                baseline=float(4.0 * elements / peak * 1e6)
                + c.number(f"harness.llmcompass.a100_sxm.{row['op']}_us"),
                role=role_of(folder, elements >= FIT_ELEMENTS or elements <= 1 << 18),
            )
        )
    if not cases:
        return []
    return [
        Table(
            key="vector_a100",
            title="A100 softmax, layer norm, GELU",
            unit="us",
            rows=evaluate(cases, c, residual="residual.vector_a100_x"),
            baseline_name="bytes at peak bandwidth + the benchmark's floor",
            notes=("fit rows: plateau (over 2^27 elements) and floor (under 2^18)",),
        )
    ]


def _layer_ms(op: str, decode: bool, c: Constants) -> Num:
    """Milliseconds of one operator of the GPT-3 layer, benchmark floor included."""
    machine = gpu("a100_sxm", c)
    tokens = BATCH if decode else BATCH * SEQ
    queries = 1 if decode else SEQ
    keys = SEQ + 512 if decode else SEQ
    heads = BATCH * HEADS // TP
    part = WIDTH // TP
    matrix = partial(gemm, machine, precision="fp16")
    costs: dict[str, OpCost] = {
        "Q_K_V": matrix(tokens, WIDTH, 3 * part),
        "Q_mul_K": matrix(queries, 128, keys, batch=heads),
        "A_mul_V": matrix(queries, keys, 128, batch=heads),
        "Wo_proj": matrix(tokens, part, WIDTH),
        "W1_proj": matrix(tokens, WIDTH, 4 * part),
        "W2_proj": matrix(tokens, 4 * part, WIDTH),
        "Softmax": vector_op(machine, "softmax", float(heads) * queries * keys),
        "LayerNorm_MHA": vector_op(machine, "layernorm", float(tokens) * WIDTH),
        "GeLU": vector_op(machine, "gelu", 4.0 * tokens * part),
        "AllReduce_MHA": all_reduce(machine, 2.0 * tokens * WIDTH, TP),
    }
    time = costs[op].time_s * 1e3
    vector = {"Softmax": "softmax", "LayerNorm_MHA": "layernorm", "GeLU": "gelu"}.get(op)
    if op.startswith("AllReduce"):
        return time
    if vector:
        floor = c[f"harness.llmcompass.a100_sxm.{vector}_us"] * 1e-3
        start = np.minimum(floor, c["harness.llmcompass.a100_sxm.vector_start_us"] * 1e-3)
        return np.maximum(floor, costs[op].memory_s * 1e3 + start)
    kernel = c["eff.a100_sxm.kernel_overhead_us"] * 1e-3
    return time - kernel + c["harness.llmcompass.a100_sxm.gemm_us"] * 1e-3


def _layer_table(c: Constants, folder: Path | None) -> list[Table]:
    cases = []
    for row in rows_of("gpt3_layer_a100_measured", folder):
        op = row["op"]
        if op in ("LayerNorm_FFN", "AllReduce_FFN"):
            continue  # the file repeats the value of the _MHA row
        decode = row["phase"].startswith("decode")
        cases.append(
            Case(
                name=f"{'decode' if decode else 'prefill'} {op}",
                measured=float(row["value"]),
                predict=partial(_layer_ms, op, decode),
                baseline=_ideal_ms(op, decode, c),
                role=role_of(folder, op in ("Q_mul_K", "A_mul_V") and not decode),
            )
        )
    if not cases:
        return []
    return [
        Table(
            key="gpt3_layer_a100",
            title="operators of a GPT-3 175B layer, 4xA100",
            unit="ms",
            rows=evaluate(cases, c, residual="residual.gpt3_layer_a100_x"),
            baseline_name="roofline at peak",
            notes=(
                "fit rows: the two attention products of the prefill",
                "decode keys: prompt 2048 and the mean of 1024 generated tokens",
            ),
        )
    ]


def _ideal_ms(op: str, decode: bool, c: Constants) -> float:
    """The same operator at dense peak, peak bandwidth and line rate."""
    names = [k for k in c if k.startswith(("eff.a100_sxm.gemm_", "eff.a100_sxm.vector"))]
    names += ["eff.a100_sxm.softmax_memory_fraction", "net.a100_sxm.scaleup_efficiency"]
    ones = dict.fromkeys(names, 1.0)
    zeros = dict.fromkeys([k for k in c if k.startswith("harness.llmcompass.a100_sxm")], 0.0)
    waves = {"eff.any.gemm_wave_softness": 0.0, "net.a100_sxm.scaleup_latency_us": 0.0}
    return float(_layer_ms(op, decode, c.replace({**ones, **zeros, **waves})))


def tables(c: Constants, folder: Path | None = None) -> list[Table]:
    """Vector kernels and the GPT-3 layer; no target is set for them."""
    return _vector_table(c, folder) + _layer_table(c, folder)
