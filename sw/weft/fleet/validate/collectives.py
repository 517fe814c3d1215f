"""Measured all-reduce on one node: 8xH200 (NVLS) and 8xB200."""

import re
from functools import partial
from pathlib import Path

from weft.fleet.constants import Constants
from weft.fleet.errors import FleetError
from weft.fleet.machines import gpu
from weft.fleet.operators import all_reduce
from weft.fleet.quantity import Num
from weft.fleet.validate.data import role_of, rows_of
from weft.fleet.validate.table import Case, Row, Table, evaluate

__all__ = ["bus_bandwidth_gb_per_s", "cases_by_table", "size_bytes", "tables"]

SYSTEMS = {"8xH200": "h200_sxm", "8xB200": "b200_sxm", "8xA100": "a100_sxm"}
UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "B": 1}


def size_bytes(text: str) -> float:
    """`64MiB` -> bytes."""
    found = re.fullmatch(r"\s*([\d.]+)\s*(B|KiB|MiB|GiB)\s*", text)
    if not found:
        raise FleetError(f"size must be a number and B, KiB, MiB or GiB, not {text!r}")
    return float(found.group(1)) * UNITS[found.group(2)]


def bus_bandwidth_gb_per_s(device: str, size: float, chips: int, c: Constants) -> Num:
    """Bus bandwidth of an all-reduce inside a node, as NCCL's benchmarks report it."""
    time = all_reduce(gpu(device, c), size, chips).time_s
    return 2.0 * (chips - 1) / chips * size / time / 1e9


def _baseline(size: float, latency_s: float, rate: float) -> float:
    """Latency plus bandwidth through the smallest and the largest message."""
    sent = 1.75 * size
    return sent / (latency_s + sent / rate) / 1e9


def cases_by_table(c: Constants, folder: Path | None = None) -> list[tuple[str, list[Case]]]:
    """The cases of each system, bus bandwidth in GB/s."""
    out = []
    for system, device in SYSTEMS.items():
        rows = [
            r
            for r in rows_of("collectives_measured", folder)
            if r["system"].startswith(system + " ")
            and r["collective"] == "all_reduce"
            and r["unit"] == "GB/s busbw"
        ]
        latency = c.number(f"baseline.{device}.latency_us") * 1e-6
        rate = c.number(f"baseline.{device}.rate_gb_per_s") * 1e9
        cases = [
            Case(
                name=f"{system} {r['size']}",
                measured=float(r["value"]),
                predict=partial(bus_bandwidth_gb_per_s, device, size_bytes(r["size"]), 8),
                baseline=_baseline(size_bytes(r["size"]), latency, rate),
                role=role_of(folder, i % 3 != 2),
            )
            for i, r in enumerate(rows)
        ]
        if cases:
            out.append((f"all_reduce_{device}", cases))
    return out


def tables(c: Constants, folder: Path | None = None) -> list[Table]:
    """One table with the rows of all systems, and what each system contributes in the notes."""
    rows: list[Row] = []
    notes = ["fit rows: all but every third size of each system"]
    for key, cases in cases_by_table(c, folder):
        part = evaluate(cases, c, residual=f"residual.{key}_x")
        errors = [abs(r.error) for r in part]
        notes.append(f"{key}: mean {sum(errors) / len(errors):.1%}, max {max(errors):.1%}")
        rows += part
    if not rows:
        return []
    return [
        Table(
            key="all_reduce",
            title="all-reduce inside 8-GPU nodes",
            unit="GB/s bus",
            rows=tuple(rows),
            baseline_name="latency + bandwidth through the two ends of the fit rows",
            target_mean=0.06,
            target_max=0.20,
            best_known="8-12 % / 24-40 %",
            notes=tuple(notes),
        )
    ]
