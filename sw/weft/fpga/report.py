"""What nextpnr says of a design: clock frequency, the critical path, the FPGA's use."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path as FilePath

__all__ = ["Path", "TimingReport", "read_report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A register-to-register path, delays in ns. ``source`` and ``sink`` are cells by their place
    in the design."""

    source: str
    sink: str
    logic_ns: float
    routing_ns: float
    steps: int
    nets: tuple[str, ...]
    """Signals on the way, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingReport:
    """``fmax_mhz`` of the slowest clock; ``used`` and ``available`` by kind of cell."""

    fmax_mhz: float
    clock: str
    critical: Path | None
    used: dict[str, int]
    available: dict[str, int]


def read_report(file: FilePath) -> TimingReport:
    """nextpnr's ``--report``.

    Raises
    ------
    ValueError
        if it has no clock.
    """
    report = json.loads(file.read_text())
    speeds = {name: entry["achieved"] for name, entry in report["fmax"].items()}
    if not speeds:
        raise ValueError(f"nextpnr's report {file} must have a clock, and has none")
    clock = min(speeds, key=lambda name: speeds[name])
    paths = [
        _path(entry)
        for entry in report.get("critical_paths", ())
        if entry["from"].split()[-1] == clock and entry["to"].split()[-1] == clock
    ]
    use = {name: entry for name, entry in report["utilization"].items() if entry["used"]}
    return TimingReport(
        fmax_mhz=speeds[clock],
        clock=clock,
        critical=max(paths, key=lambda path: path.logic_ns + path.routing_ns, default=None),
        used={name: entry["used"] for name, entry in use.items()},
        available={name: entry["available"] for name, entry in use.items()},
    )


def _path(entry: dict) -> Path:
    steps = entry["path"]
    routing = [step for step in steps if step["type"] == "routing"]
    logic = [step for step in steps if step["type"] != "routing"]
    return Path(
        source=steps[0]["from"]["cell"],
        sink=steps[-1]["to"]["cell"],
        logic_ns=round(sum(step["delay"] for step in logic), 3),
        routing_ns=round(sum(step["delay"] for step in routing), 3),
        steps=len(logic),
        nets=tuple(step["net"] for step in routing if "net" in step),
    )
