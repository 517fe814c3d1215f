"""Llama 3 405B as a whole run: goodput at 16,384 H100 and the GPU-hours of pre-training."""

from dataclasses import replace
from pathlib import Path

from weft.fleet.constants import Constants
from weft.fleet.machines import gpu
from weft.fleet.models import model
from weft.fleet.quantity import Num
from weft.fleet.training import Layout, goodput, train_step, training_run
from weft.fleet.validate.table import Case, Table, evaluate

__all__ = ["chip_hours", "tables"]

PRETRAIN = Layout(
    tensor=8, pipeline=16, data=128, global_batch=2048, interleave=8, seq=8192, zero=2
)


def _phases(c: Constants) -> tuple[tuple[Num, Layout], ...]:
    """(tokens, layout): 8 M-token batches on 8,192 chips, 16 M on 16,384, long context last."""
    total = c["llama3.405b.tokens"]
    ramp, long = c["llama3.405b.tokens_at_8m_batch"], c["llama3.405b.long_context_tokens"]
    small = replace(PRETRAIN, data=64, global_batch=1024)
    stretched = replace(PRETRAIN, data=8, context=16, global_batch=128, seq=131072)
    return ((ramp, small), (total - ramp - long, PRETRAIN), (long, stretched))


def chip_hours(c: Constants) -> Num:
    """H100-hours of pre-training, failures included."""
    machine, shape = gpu("h100_sxm", c), model("llama3-405b")
    hours: Num = 0.0
    for tokens, layout in _phases(c):
        step = train_step(machine, shape, layout, c, check_fit=False)
        share = goodput(machine, shape, layout.chips, c).effective_share
        hours = (
            hours + training_run(1.0, step.tokens_per_s, layout.chips, share).chip_hours * tokens
        )
    return hours


def _goodput(c: Constants) -> Num:
    return 100.0 * goodput(gpu("h100_sxm", c), model("llama3-405b"), 16384, c).effective_share


def tables(c: Constants, folder: Path | None = None) -> list[Table]:
    """Two one-row tables; nothing was fitted on them. Only for the package's own data."""
    if folder is not None:
        return []
    shape = model("llama3-405b")
    peak = gpu("h100_sxm", c).peak("bf16")
    share = c.number("baseline.llama3.mfu_fraction")
    flat = 6.0 * shape.params * c.number("llama3.405b.tokens") / (share * peak) / 3600.0
    hours = Case(
        "405B pre-training, H100-hours (million)",
        c.number("llama3.405b.gpu_hours") / 1e6,
        lambda k: chip_hours(k) / 1e6,
        float(flat) / 1e6,
        "hold-out",
    )
    lower = Case(
        "effective time at 16,384 H100, % (published: over 90)", 90.0, _goodput, 100.0, "hold-out"
    )
    effective = tuple(
        replace(row, error=max(0.0, row.measured - row.predicted))
        for row in evaluate([lower], c, residual="residual.goodput_x", absolute=True)
    )
    return [
        Table(
            key="llama3_gpu_hours",
            title="Llama 3 405B GPU-hours",
            unit="million H100-hours",
            rows=evaluate([hours], c, residual="residual.training_x"),
            baseline_name="6 N D at 40 % of peak",
            target_mean=0.10,
            notes=("the published hours cover every stage, the model pre-training only",),
        ),
        Table(
            key="llama3_goodput",
            title="Llama 3 405B effective training time",
            unit="% (bound: over 90)",
            rows=effective,
            baseline_name="no failures",
            target_max=0.0,
            absolute=True,
            notes=("the source gives a bound, not a value: the model must be at or above it",),
        ),
    ]
