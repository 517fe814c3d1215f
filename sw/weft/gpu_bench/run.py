"""The whole bench: idle power first, then every piece of work, then a data file with provenance."""

import csv
import datetime
import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from weft.gpu_bench.backend import TorchBackend
from weft.gpu_bench.errors import GpuBenchError
from weft.gpu_bench.measure import Measurement, Work, measure
from weft.gpu_bench.meter import NvmlMeter
from weft.gpu_bench.plan import Plan

__all__ = ["COLUMNS", "BenchResult", "run_bench"]

PROVENANCE = ("device", "driver", "torch", "date", "command", "confidence")
COLUMNS = tuple(f.name for f in fields(Measurement)) + PROVENANCE


@dataclass(frozen=True, slots=True)
class BenchResult:
    """Rows and what they were measured on."""

    device: str
    driver: str
    versions: dict[str, str]
    date: str
    command: str
    idle_w: float
    power_limit_w: float
    rows: tuple[Measurement, ...]
    failed: tuple[str, ...]
    """Work that the device refused (out of memory, no kernel), with the reason."""

    def records(self) -> list[dict[str, Any]]:
        """One flat record per row, provenance included; idle power is a row of its own."""
        source = {
            "device": self.device,
            "driver": self.driver,
            "torch": self.versions["torch"],
            "date": self.date,
            "command": self.command,
            "confidence": "measured",
        }
        idle: dict[str, Any] = dict.fromkeys(COLUMNS, "")
        idle |= {"kind": "idle", "name": "idle", "watts": self.idle_w}
        return [{**idle, **source}] + [{**asdict(row), **source} for row in self.rows]

    def write(self, path: Path) -> None:
        """Write CSV (`.csv`) or JSON (`.json`)."""
        if path.suffix == ".json":
            path.write_text(json.dumps({**asdict(self), "host": platform.machine()}, indent=1))
            return
        if path.suffix != ".csv":
            raise GpuBenchError(f"the data file must end in .csv or .json, not {path.name!r}")
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, fieldnames=COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.records())

    def table(self) -> Any:
        """The rows as a pandas table."""
        import pandas as pd

        return pd.DataFrame(self.records())


def run_bench(
    plan: Plan,
    backend: TorchBackend,
    meter: NvmlMeter,
    *,
    command: str,
    sleep: Callable[[float], None],
    watch: Callable[[list[Work]], Iterable[Work]] = iter,
) -> BenchResult:
    """Measure everything in `plan`; work the device refuses is listed, not fatal.

    Parameters
    ----------
    sleep : function
        Waits, while idle power is measured.
    watch : function
        Wraps the list of work (a progress bar).
    """
    with meter.interval() as interval:
        sleep(plan.idle_seconds)
    assert interval.sample is not None
    rows, failed = [], []
    for work in watch(list(plan.works(backend.dtypes))):
        try:
            rows.append(measure(work, backend, meter, seconds=plan.seconds))
        except RuntimeError as error:
            backend.free()
            failed.append(f"{work.name} {work.dtype} {work.shape}: {str(error).splitlines()[0]}")
    if not rows:
        raise GpuBenchError(
            f"the device refused all work; first: {failed[0] if failed else 'none'}"
        )
    return BenchResult(
        device=backend.name,
        driver=meter.driver(),
        versions=backend.versions,
        date=datetime.date.today().isoformat(),
        command=command,
        idle_w=interval.sample.watts,
        power_limit_w=meter.limit_w(),
        rows=tuple(rows),
        failed=tuple(failed),
    )
