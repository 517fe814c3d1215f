"""Static timing by OpenSTA: the critical path of a mapped netlist, its owner, and the clock it
allows.

Ports are ideal: inputs arrive at the clock edge from an ideal driver, outputs are taken at the next
edge. Wires have the capacitance
of the pins they join and no more (pre-layout); ``margin`` of the period is kept for skew, jitter,
wires and derating.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .errors import FlowError
from .library import CellLibrary
from .tools import opensta, run

__all__ = ["DEFAULT_MARGIN", "PathStep", "Timing", "time_netlist"]

#: Share of the period kept. Clock skew and jitter 10 % and on-chip variation 5 % are usual sign-off
#: figures; wires add the
#: rest. Assumed, not measured: no layout has been made.
DEFAULT_MARGIN = 0.25


@dataclass(frozen=True, slots=True)
class PathStep:
    """One stage of a path: arrival at a pin."""

    time_ps: float
    pin: str
    cell: str


@dataclass(frozen=True, slots=True)
class Timing:
    """Of the slowest path."""

    period_ps: float
    """Shortest period without margin: arrival plus set-up."""
    startpoint: str
    endpoint: str
    steps: tuple[PathStep, ...]
    opensta_power_w: dict[str, float]
    """OpenSTA's own report at its default activity: internal, switching, leakage, total; empty if
    it gave none."""

    @property
    def fastest_ghz(self) -> float:
        """Without margin."""
        return 1e3 / self.period_ps

    def frequency_ghz(self, margin: float) -> float:
        """With ``margin`` of the period kept."""
        return self.fastest_ghz * (1 - margin)


_SCRIPT = """
{reads}
read_verilog {verilog}
link_design {top}
{parasitics}
create_clock -name clock -period {period} [get_ports clk]
set data [list]
foreach port [all_inputs] {{
  if {{[get_property $port full_name] != "clk"}} {{ lappend data $port }}
}}
if {{[llength $data]}} {{ set_input_delay 0 -clock clock $data }}
set_output_delay 0 -clock clock [all_outputs]
report_checks -path_delay max -format full -digits 6
{activity}
puts "=power="
report_power -digits 9
exit
"""
_SLACK = re.compile(r"(-?[\d.]+)\s+slack")
_STEP = re.compile(r"^\s+-?[\d.]+\s+(-?[\d.]+) [\^v] (\S+) \((\S+)\)", re.MULTILINE)
_POWER = re.compile(r"^Total\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)", re.MULTILINE)


def time_netlist(
    verilog: Path,
    top: str,
    library: CellLibrary,
    folder: Path,
    *,
    period_ps: float,
    activity: str = "",
    parasitics: Path | None = None,
) -> Timing:
    """Runs OpenSTA. ``activity`` are Tcl commands given before its power report, ``parasitics``
    the wires of a layout as SPEF.

    Raises
    ------
    ToolError
        if OpenSTA is missing.
    FlowError
        if it stops or finds no path.
    """
    unit = library.sta_time_ps
    files = library.plain_files(folder.parent.parent / "plain")
    script = folder / "time.tcl"
    script.write_text(
        _SCRIPT.format(
            reads="\n".join(f"read_liberty {path}" for path in files),
            verilog=verilog,
            top=top,
            period=period_ps / unit,
            activity=activity,
            parasitics=f"read_spef {parasitics}" if parasitics else "",
        )
    )
    text = run([opensta(), "-exit", str(script)], folder / "time.log", f"OpenSTA, timing {top},")
    slack = _SLACK.search(text)
    if slack is None:
        raise FlowError(f"OpenSTA found no timing path in {top} (log: {folder / 'time.log'})")
    start, end = (re.search(rf"{word}: (\S+)", text) for word in ("Startpoint", "Endpoint"))
    steps = tuple(
        PathStep(float(match.group(1)) * unit, match.group(2), match.group(3))
        for match in _STEP.finditer(text[: slack.start()])
    )
    power = _POWER.search(text[text.index("=power=") :]) if "=power=" in text else None
    names = ("internal", "switching", "leakage", "total")
    return Timing(
        period_ps=period_ps - float(slack.group(1)) * unit,
        startpoint=start.group(1) if start else "",
        endpoint=end.group(1) if end else "",
        steps=steps,
        opensta_power_w=dict(zip(names, map(float, power.groups()), strict=True)) if power else {},
    )
