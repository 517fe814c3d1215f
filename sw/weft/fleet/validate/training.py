"""Published training steps: Korthikanti 2022 and Megatron SC21 on A100, Llama 3 405B on H100."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from weft.fleet.constants import Constants
from weft.fleet.errors import FleetError
from weft.fleet.machines import gpu
from weft.fleet.models import ModelShape, model
from weft.fleet.quantity import Num
from weft.fleet.training import Layout, StepResult, check_layout, train_step
from weft.fleet.training.layout import layers_per_stage
from weft.fleet.validate.data import role_of, rows_of
from weft.fleet.validate.table import Case, Table, evaluate

__all__ = ["cases_by_table", "layout_of", "model_of", "step_of", "tables"]

FIT_ROWS = {
    ("Megatron SC21 (A100 Selene)", "1.7B", "full"),
    ("Megatron SC21 (A100 Selene)", "18B", "full"),
    ("Megatron SC21 (A100 Selene)", "310B", "full"),
    ("Korthikanti 2022 Table 5 (A100)", "22B", "seq-par + selective"),
    ("Korthikanti 2022 Table 5 (A100)", "530B", "full"),
}
"""The only training rows that constants were fitted on."""

GPUS = {"A100-SXM-80GB": "a100_sxm", "H100-SXM": "h100_sxm", "H100": "h100_sxm"}


def model_of(row: dict[str, str]) -> ModelShape:
    """The model of a row: Llama by name, Megatron's from the row's dimensions."""
    if row["table"].startswith("Llama 3 405B"):
        return model("llama3-405b")
    hidden = int(row["hidden"])
    return ModelShape(
        name=f"megatron-{row['model']}",
        layers=int(row["layers"]),
        d_model=hidden,
        heads=int(row["heads"]),
        vocab=int(row["vocab"] or 51200),
        d_ff=4 * hidden,
        gated_mlp=False,
        tied_embeddings=True,
        context=int(row["seq"]),
    )


def _deepest_interleave(shape: ModelShape, layout: Layout) -> int:
    """Where a source does not say: the deepest interleave up to 8 that divides."""
    stage = layers_per_stage(shape, layout)
    if layout.pipeline == 1 or layout.microbatches % layout.pipeline:
        return 1
    return max(v for v in range(1, 9) if stage % v == 0)


def layout_of(row: dict[str, str]) -> Layout:
    """The layout of a row with the software of its time.

    Megatron-LM 2021/22: fp16, dropout, scores through memory, sends between stages and gradient
    all-reduce exposed; gradient accumulation fused from the Korthikanti paper on. Llama 3: bf16,
    fused attention, sharded optimizer and gradients, overlapped, micro-batch 1.
    """
    llama = row["table"].startswith("Llama 3 405B")
    seq = int(row["seq"])
    selective = "selective" in row["recompute"]
    layout = Layout(
        tensor=int(row["tp"]),
        pipeline=int(row["pp"]),
        data=int(row["dp"]),
        context=int(row["cp"] or 1),
        microbatch=int(row["microbatch"] or 1),
        global_batch=int(row["global_batch"]),
        interleave=int(row["interleave"] or 1),
        seq=seq,
        recompute="none" if llama else "selective" if selective else "full",
        sequence_parallel=llama or selective,
        zero=2 if llama else 0,
        fused_attention=llama,
        overlap_data=llama,
        overlap_pipeline=llama,
        fused_gradients=not row["table"].startswith("Megatron SC21"),
        dropout=not llama,
        precision=row["precision"] or "bf16",
    )
    if not row["interleave"]:
        layout = replace(layout, interleave=_deepest_interleave(model_of(row), layout))
    check_layout(model_of(row), layout)
    return layout


def step_of(row: dict[str, str], c: Constants) -> StepResult:
    """The modelled step of a row."""
    device = GPUS.get(row["gpu"])
    if device is None:
        raise FleetError(f"validation row has unknown GPU {row['gpu']!r}")
    llama = row["table"].startswith("Llama 3 405B")
    try:
        return train_step(
            gpu(device, c), model_of(row), layout_of(row), c, check_fit=False, causal_flops=llama
        )
    except FleetError as error:
        name = f"{row['table']}, {row['model']}, {row['gpus']} GPUs"
        raise FleetError(f"row {name}: {error}") from error


def _value(row: dict[str, str], what: str, c: Constants) -> Num:
    step = step_of(row, c)
    return {
        "iter_time_s": step.step_s,
        "tflops_per_gpu": step.tflops_per_chip,
        "mfu_pct": 100.0 * step.mfu,
    }[what]


def _usable(row: dict[str, str], what: str) -> bool:
    return all(row.get(k) for k in ("hidden", "tp", "pp", "dp", "global_batch", what))


SPECS = {
    "korthikanti": (
        "Korthikanti 2022 Table 5",
        "iter_time_s",
        "s per step",
        0.025,
        0.06,
        "Calculon 3.65 % / 8.87 %",
    ),
    "megatron_sc21": (
        "Megatron SC21",
        "tflops_per_gpu",
        "TFLOPS per GPU",
        0.04,
        0.08,
        "Calculon 10.3 % / 17.8 %",
    ),
    "llama3_mfu": ("Llama 3 405B Table 4", "mfu_pct", "% MFU", None, 2.0, ""),
}


def cases_by_table(c: Constants, folder: Path | None = None) -> list[tuple[str, list[Case]]]:
    """The cases of each table."""
    out = []
    for key, (title, what, *_) in SPECS.items():
        cases = [
            Case(
                name=" ".join(x for x in (r["model"], r["gpus"], r["recompute"]) if x),
                measured=float(r[what]),
                predict=partial(_value, r, what),
                baseline=_baseline(r, what, c),
                role=role_of(folder, (r["table"], r["model"], r["recompute"]) in FIT_ROWS),
            )
            for r in rows_of("llm_training_tables", folder)
            if r["table"].startswith(title) and _usable(r, what)
        ]
        if cases:
            out.append((key, cases))
    return out


def tables(c: Constants, folder: Path | None = None) -> list[Table]:
    """The three training tables."""
    out = []
    for key, cases in cases_by_table(c, folder):
        title, _, unit, mean, worst, best = SPECS[key]
        absolute = key == "llama3_mfu"
        out.append(
            Table(
                key=key,
                title=title,
                unit=unit,
                rows=evaluate(cases, c, residual="residual.training_x", absolute=absolute),
                baseline_name="one fixed share of peak (hardware FLOPS) for every row",
                target_mean=mean,
                target_max=worst,
                best_known=best,
                absolute=absolute,
            )
        )
    return out


def _baseline(row: dict[str, str], what: str, c: Constants) -> float:
    """The same share of peak for every row, fitted on the fit rows."""
    step = step_of(row, c)
    share = c["baseline.training.hfu_fraction"]
    peak = gpu(GPUS[row["gpu"]], c).peak("bf16")
    return float(
        {
            "iter_time_s": step.hardware_flops / (step.chips * peak * share),
            "tflops_per_gpu": share * peak / 1e12,
            "mfu_pct": 100.0 * share * step.model_flops / step.hardware_flops,
        }[what]
    )
