"""Wall power of 8-GPU nodes against the node model.

MLPerf power rows (MaxQ): each chip draws the limit that the submission set for the benchmark
(`power.mlperf_maxq.*`, read from its configuration), the host what the query rate asks, NICs are
idle. A training node: chips at their board limit, NICs in use. Two constants are fitted on the
Offline rows (`GROUP`).
"""

from functools import partial
from pathlib import Path

from weft.fleet.constants import Constants
from weft.fleet.errors import FleetError
from weft.fleet.machines import gpu
from weft.fleet.power.node import node_power
from weft.fleet.quantity import Num
from weft.fleet.validate.data import role_of, rows_of
from weft.fleet.validate.fit import FitGroup
from weft.fleet.validate.table import Case, Table, evaluate

__all__ = ["GROUP", "cases_by_table", "predict_wall_w", "tables"]

ACCELERATORS = {
    "H100-SXM": "h100_sxm",
    "H200-SXM": "h200_sxm",
    "B200-SXM": "b200_sxm",
    "A100-SXM": "a100_sxm",
}
BENCHMARKS = {
    "bert-99.9": "bert_high_accuracy",
    "bert": "bert",
    "gptj": "gptj",
    "resnet": "resnet",
    "llama2-70b": "llama2_70b",
    "mixtral": "mixtral",
    "dlrm": "dlrm",
    "stable-diffusion": "sdxl",
}
HOST_FED = ("Samples/s", "Queries/s")

GROUP = FitGroup(
    "node_power",
    {"power.host.base_w": (1450.0, 150.0), "power.host.fan_share_air": (0.08, 0.02)},
    ("node_wall_power",),
)


def _limit_w(benchmark: str, maxq: bool, device: str, c: Constants) -> Num:
    """Watts of one GPU: the limit set for the benchmark (H200 MaxQ), or the board's."""
    board = c[f"gpu.{device}.board_power_max_w"]
    if not maxq:
        return board
    known = next((v for k, v in BENCHMARKS.items() if benchmark.startswith(k)), "other")
    scale = board / c["gpu.h200_sxm.board_power_max_w"]
    return c[f"power.mlperf_maxq.{known}_limit_w"] * scale


def predict_wall_w(
    device: str, chips: int, benchmark: str, maxq: bool, queries_per_s: float, c: Constants
) -> Num:
    """Wall power of a node during an MLPerf power run."""
    machine = gpu(device, c)
    watts = _limit_w(benchmark, maxq, device, c)
    node = node_power(machine, watts, c, chips=chips, fabric=False, queries_per_s=queries_per_s)
    return node.total_w


def _training_w(c: Constants) -> Num:
    machine = gpu("h100_sxm", c)
    return node_power(machine, machine.board_power_max_w, c, chips=8, fabric=True).total_w


def _device(row: dict[str, str]) -> str | None:
    return next((v for k, v in ACCELERATORS.items() if k in row["accelerator"]), None)


def _watts(row: dict[str, str]) -> float:
    scale = {"W": 1.0, "kW": 1e3}.get(row["power_unit"])
    if scale is None:
        raise FleetError(
            f"mlperf_power: unit {row['power_unit']!r} of {row['model']} is no power; use W or kW"
        )
    return float(row["wall_power"]) * scale


def cases_by_table(c: Constants, folder: Path | None = None) -> list[tuple[str, list[Case]]]:
    """One table; rows whose accelerator the model does not know are left out."""
    cases = []
    for row in rows_of("mlperf_power", folder):
        device, chips = _device(row), int(float(row["accelerators"] or 0))
        if device is None or chips < 4 or not row["wall_power"]:
            continue
        fed = row["performance_unit"] in HOST_FED
        rate = float(row["performance"] or 0.0) if fed else 0.0
        maxq = "maxq" in row["system"].lower()
        cases.append(
            Case(
                name=f"{chips} {device} {row['model']} {row['scenario']}",
                measured=_watts(row),
                predict=partial(predict_wall_w, device, chips, row["model"], maxq, rate),
                baseline=chips * c.number(f"gpu.{device}.board_power_max_w"),
                role=role_of(folder, row["scenario"] == "Offline"),
            )
        )
    if folder is None:
        cases += [
            Case(
                "8 h200_sxm llama2-70b Offline (other list)",
                c.number("power.measured.h200_llama2_node_w"),
                partial(predict_wall_w, "h200_sxm", 8, "llama2-70b", True, 0.0),
                8 * c.number("gpu.h200_sxm.board_power_max_w"),
                "fit",
            ),
            Case(
                "8 h100_sxm training, node maximum",
                c.number("power.measured.h100_training_node_w"),
                _training_w,
                8 * c.number("gpu.h100_sxm.board_power_max_w"),
                "hold-out",
            ),
        ]
    return [("node_wall_power", cases)] if cases else []


def tables(c: Constants, folder: Path | None = None) -> list[Table]:
    """Wall power of nodes."""
    return [
        Table(
            key=key,
            title="wall power of 8-GPU nodes",
            unit="W",
            rows=evaluate(cases, c, residual="residual.node_power_x"),
            baseline_name="GPUs at their board limit, nothing else",
            target_mean=0.08,
            best_known="11.4 %",
            notes=("fit rows: Offline; chip limits are settings published with the runs",),
        )
        for key, cases in cases_by_table(c, folder)
    ]
