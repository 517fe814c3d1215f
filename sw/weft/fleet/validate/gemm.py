"""Measured GEMMs: LLMCompass on A100, Vidur on H100."""

from functools import partial
from pathlib import Path

import numpy as np

from weft.fleet.constants import Constants
from weft.fleet.machines import gpu
from weft.fleet.operators import gemm
from weft.fleet.quantity import Num
from weft.fleet.validate.data import role_of, rows_of
from weft.fleet.validate.table import Case, Table, evaluate

__all__ = ["cases_by_table", "predict_gemm_s", "tables"]

DEVICES = {"A100-SXM": "a100_sxm", "H100": "h100_sxm", "H200": "h200_sxm", "B200": "b200_sxm"}
FIT_TOKENS_H100 = (4096, 256, 8)


def predict_gemm_s(device: str, m: int, k: int, n: int, harness: bool, c: Constants) -> Num:
    """Seconds of one fp16 GEMM; `harness` adds what LLMCompass's synchronous launches cost."""
    machine = gpu(device, c)
    time = gemm(machine, m, k, n, precision="fp16").time_s
    key = f"harness.llmcompass.{device}.gemm_us"
    if harness and key in c:
        time = time - c[f"eff.{device}.kernel_overhead_us"] * 1e-6 + c[key] * 1e-6
    return time


def _used_for_fit(row: dict[str, str], index: int) -> bool:
    """A100: every other row of the file. H100: every other batch of tokens."""
    if row["device"] == "A100-SXM":
        return index % 2 == 0
    return int(row["M"]) in FIT_TOKENS_H100


def _roofline_s(device: str, m: int, k: int, n: int, c: Constants) -> float:
    machine = gpu(device, c)
    flops = 2.0 * m * k * n / machine.peak("fp16")
    moved = 2.0 * (m * k + k * n + m * n) / machine.memory_bandwidth_bytes_per_s
    return float(np.maximum(flops, moved))


SPECS = {
    "gemm_a100": ("A100-SXM", 0.05, 0.15, "LLMCompass 10.9 %", "fit rows: every other row"),
    "gemm_h100": ("H100", 0.08, None, "10.6 %", f"fit rows: M in {FIT_TOKENS_H100}"),
}


def cases_by_table(c: Constants, folder: Path | None = None) -> list[tuple[str, list[Case]]]:
    """The cases of each table, times in milliseconds."""
    out = []
    for key, (device, *_) in SPECS.items():
        rows = [r for r in rows_of("gemm_measured", folder) if r["device"] == device]
        factor, base = c[f"baseline.{key}.roofline_factor_x"], c[f"baseline.{key}.overhead_ms"]
        cases = []
        for i, row in enumerate(rows):
            shape = (int(row["M"]), int(row["K"]), int(row["N"]))
            roof = _roofline_s(DEVICES[device], *shape, c) * 1e3
            cases.append(
                Case(
                    name="x".join(map(str, shape)),
                    measured=float(row["time_ms"]),
                    predict=partial(_ms, DEVICES[device], shape, "LLMCompass" in row["source"]),
                    baseline=float(base + factor * roof),
                    role=role_of(folder, _used_for_fit(row, i)),
                )
            )
        if cases:
            out.append((key, cases))
    return out


def tables(c: Constants, folder: Path | None = None) -> list[Table]:
    """A100 and H100 tables."""
    out = []
    for key, cases in cases_by_table(c, folder):
        device, mean, worst, best, note = SPECS[key]
        out.append(
            Table(
                key=key,
                title=f"{device} fp16 GEMM",
                unit="ms",
                rows=evaluate(cases, c, residual=f"residual.{key}_x"),
                baseline_name="roofline x one factor + one overhead, fitted on the fit rows",
                target_mean=mean,
                target_max=worst,
                best_known=best,
                notes=(note,),
            )
        )
    return out


def _ms(device: str, shape: tuple[int, int, int], harness: bool, c: Constants) -> Num:
    return predict_gemm_s(device, *shape, harness, c) * 1e3
