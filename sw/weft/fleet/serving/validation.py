"""Llama-2-70B on H100 nodes (MLPerf inference, closed, available) against the serving model.

Layouts are those of the published configurations: tensor 2, batch 896 on H100; tensor 1, 806 on
H200; other GPUs take the best width. Offline: all batches full. Server: the largest load within
the rules' objectives, less the drain at the end of a run. Three constants are fitted (`PRIORS`),
on every other system of the package's table, and shared by all rows.

Bands are conditional on the fit: what draws say about the reference system (8 H100, Offline)
cancels, because the fitted slowdown would absorb it. The residual is what cross-validation leaves.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.machines import gpu
from weft.fleet.models import model
from weft.fleet.quantity import Num
from weft.fleet.serving.request import ServingPlan, Slo, Traffic
from weft.fleet.serving.serve import plan_for, serve
from weft.fleet.validate.data import role_of, rows_of
from weft.fleet.validate.fit import FitGroup
from weft.fleet.validate.table import Case, Table, evaluate

__all__ = ["GROUP", "cases_by_table", "predict_tokens_per_s", "tables"]

ACCELERATORS = {
    "H100-SXM": "h100_sxm",
    "H200-SXM": "h200_sxm",
    "B200-SXM": "b200_sxm",
    "A100-SXM": "a100_sxm",
    "MI300X": "mi300x",
    "MI325X": "mi325x",
}
UNSWITCHED = 4
"""GPUs of an HGX baseboard that has no link switches."""
SCENARIOS = ("Offline", "Server")

GROUP = FitGroup(
    "serving",
    {
        "serving.gpu.framework_slowdown": (0.10, 0.04),
        "serving.any.network_front_share": (0.08, 0.06),
        "mlperf.server_edge_share": (0.05, 0.03),
    },
    ("mlperf_llama2_offline", "mlperf_llama2_server"),
)


def _device(row: dict[str, str]) -> str | None:
    """Model name of the row's accelerator; None if the model does not know it."""
    return next((v for k, v in ACCELERATORS.items() if k in row["accelerator"]), None)


def _sizes(row: dict[str, str]) -> tuple[int, int]:
    """(chips per node, nodes): `accelerators` counts one node where it is at most 8."""
    nodes = max(1, int(float(row["nodes"] or 1)))
    count = int(float(row["accelerators"]))
    return (count if count <= 8 or nodes == 1 else count // nodes), nodes


@functools.cache
def _plan(device: str, node_chips: int, nodes: int) -> ServingPlan:
    c = default_constants()
    precision = "fp8" if f"gpu.{device}.peak_fp8_tflops" in c else "fp16"
    key = f"mlperf.{device}.llama2_70b_"
    site = ServingPlan(
        precision=precision,
        node_chips=node_chips,
        switched=node_chips != UNSWITCHED,
        nodes=nodes,
    )
    if key + "tensor" in c and node_chips % int(c.number(key + "tensor")) == 0:
        return replace(
            site,
            tensor=int(c.number(key + "tensor")),
            max_batch=int(c.number(key + "batch")),
        )
    best = plan_for(
        gpu(device, c), model("llama2-70b"), _traffic(c), c, precision=precision, most_chips=8
    )
    return replace(site, tensor=min(best.tensor, node_chips))


def _traffic(c: Constants) -> Traffic:
    return Traffic(
        round(c.number("mlperf.llama2_70b.input_tokens")),
        round(c.number("mlperf.llama2_70b.output_tokens")),
    )


@functools.lru_cache(maxsize=256)
def predict_tokens_per_s(
    device: str, node_chips: int, nodes: int, scenario: str, c: Constants
) -> Num:
    """Output tokens per second of a system in a scenario."""
    slo = None
    if scenario == "Server":
        slo = Slo(c.number("mlperf.llama2_70b.ttft_s"), c.number("mlperf.llama2_70b.tpot_s"))
    result = serve(
        gpu(device, c),
        model("llama2-70b"),
        _traffic(c),
        _plan(device, node_chips, nodes),
        c,
        chips=node_chips * nodes,
        slo=slo,
    )
    edge = 1.0 - c["mlperf.server_edge_share"] if scenario == "Server" else 1.0
    return result.tokens_per_s * edge


def _conditional(
    device: str, node_chips: int, nodes: int, scenario: str, frozen: Constants, c: Constants
) -> Num:
    """The prediction, with the reference system pinned to its frozen value under draws."""
    value = predict_tokens_per_s(device, node_chips, nodes, scenario, c)
    if scenario == "Server":
        # the search for the largest load works on medians; scale with each draw's saturation
        offline = predict_tokens_per_s(device, node_chips, nodes, "Offline", c)
        value = value * offline / _median(offline)
    drawn = predict_tokens_per_s("h100_sxm", 8, 1, "Offline", c)
    if getattr(drawn, "ndim", 0) == 0:
        return value
    return value * _reference(frozen) / drawn


def _median(value: Num) -> float:
    return float(np.median(value))


def _reference(c: Constants) -> float:
    return float(predict_tokens_per_s("h100_sxm", 8, 1, "Offline", c))


def _rows(folder: Path | None) -> list[dict[str, str]]:
    rows = [r for r in rows_of("mlperf_inference", folder) if r["model"].startswith("llama2-70b")]
    return [
        r
        for r in rows
        if _device(r)
        and r["scenario"] in SCENARIOS
        and "oken" in r["unit"]
        and r["value"]
        and r["accelerators"]
    ]


def _case(row: dict[str, str], fit: bool, folder: Path | None, c: Constants) -> Case:
    device = _device(row) or ""
    chips, nodes = _sizes(row)
    flat = c.number(f"baseline.mlperf_llama2.{row['scenario'].lower()}_tokens_per_s_per_chip")
    return Case(
        name=f"{row['submitter']} {chips}x{nodes} {device} {row['scenario']}",
        measured=float(row["value"]),
        predict=partial(_conditional, device, chips, nodes, row["scenario"], c),
        baseline=flat * chips * nodes,
        role=role_of(folder, fit),
    )


def cases_by_table(c: Constants, folder: Path | None = None) -> list[tuple[str, list[Case]]]:
    """H100 by scenario, and any other accelerator (nothing fitted)."""
    systems: dict[tuple[str, str], int] = {}
    groups: dict[str, list[Case]] = {}
    for row in _rows(folder):
        own = _device(row) == "h100_sxm"
        index = systems.setdefault((row["submitter"], row["system"]), len(systems))
        key = f"mlperf_llama2_{row['scenario'].lower()}" if own else "mlperf_llama2_other_gpus"
        groups.setdefault(key, []).append(_case(row, own and index % 2 == 0, folder, c))
    return list(groups.items())


def _table(key: str, cases: Sequence[Case], c: Constants) -> Table:
    own = key != "mlperf_llama2_other_gpus"
    kind = key.rsplit("_", 1)[1] if own else "other"
    return Table(
        key=key,
        title=f"Llama-2-70B on {'H100' if own else 'other GPUs'}, MLPerf",
        unit="tokens/s",
        rows=evaluate(cases, c, residual=f"residual.mlperf_llama2_{kind}_x"),
        baseline_name="one rate per GPU, median of the fit rows of the scenario",
        target_mean=0.12 if own else None,
        best_known="Vidur under 9 % claimed, 700 % seen",
        notes=("fit rows: every other system" if own else "nothing was fitted on these",),
    )


def tables(c: Constants, folder: Path | None = None) -> list[Table]:
    """One table per scenario on H100, and one of the other accelerators if there are any."""
    return [_table(key, cases, c) for key, cases in cases_by_table(c, folder)]
