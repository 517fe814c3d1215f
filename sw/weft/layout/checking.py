"""Design rules and extraction by magic, layout against netlist by netgen.

Debian's package of the library has no drawn cells (GDS), only their LEF views: pins, metal and vias
inside a cell. Rules are therefore checked on all metal and vias, not on wells, diffusion and poly,
and the comparison sees cells as black boxes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weft.synth.errors import FlowError
from weft.synth.tools import run

from .design import Design
from .lef import Lef
from .spice import schematic_text

__all__ = ["Extracted", "Match", "compare", "extract", "net_capacitances_ff", "rule_errors"]

_MAGIC = """\
drc off
tech load {tech} -noprompt
lef read {lef}
def read {layout}
select top cell
expand
drc euclidean on
drc on
drc check
drc catchup
puts "=count= [drc list count total]"
foreach {{rule boxes}} [drc listall why] {{ puts "=rule= [llength $boxes] $rule" }}
extract all
ext2spice hierarchy on
ext2spice subcircuit top on
ext2spice scale off
ext2spice format ngspice
ext2spice rthresh infinite
ext2spice cthresh 0
ext2spice -o capacitance.spice
ext2spice cthresh infinite
ext2spice blackbox on
ext2spice -o extracted.spice
quit -noprompt
"""


@dataclass(frozen=True, slots=True)
class Extracted:
    """``errors`` counts violations by rule (magic's tiles); the files are SPICE."""

    errors: dict[str, int]
    netlist: Path
    capacitance: Path


@dataclass(frozen=True, slots=True)
class Match:
    """Result of the comparison: devices and nets of (layout, netlist)."""

    matches: bool
    devices: tuple[int, int]
    nets: tuple[int, int]
    log: Path


def rule_errors(log: str) -> dict[str, int]:
    """Violations by rule from the log.

    Raises
    ------
    FlowError
        if the check did not run.
    """
    count = re.search(r"^=count= (\d+)", log, re.MULTILINE)
    if count is None:
        raise FlowError("magic did not come to its design rules")
    found = {
        match.group(2): int(match.group(1))
        for match in re.finditer(r"^=rule= (\d+) (.*)$", log, re.MULTILINE)
    }
    if int(count.group(1)) and not found:
        found["unnamed rule"] = int(count.group(1))
    return found


def extract(layout: Path, lef_path: Path, tech: Path, folder: Path) -> Extracted:
    """Checks the rules and extracts connections and capacitances.

    Raises
    ------
    FlowError
        if magic stops or writes no netlist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    netlist, capacitance = folder / "extracted.spice", folder / "capacitance.spice"
    for old in (netlist, capacitance):
        old.unlink(missing_ok=True)
    script = _MAGIC.format(tech=tech, lef=lef_path, layout=layout.resolve())
    (folder / "check.tcl").write_text(script)
    command = ["magic", "-dnull", "-noconsole", "-rcfile", "/dev/null", "check.tcl"]
    log = run(command, folder / "check.log", f"magic, checking {layout.name},", folder)
    errors = rule_errors(log)
    if not (netlist.is_file() and capacitance.is_file()):
        raise FlowError(f"magic extracted no netlist (log: {folder / 'check.log'})")
    return Extracted(errors, netlist, capacitance)


def compare(design: Design, lef: Lef, extracted: Path, setup: Path, folder: Path) -> Match:
    """Compares the extracted netlist with the mapped one.

    Raises
    ------
    FlowError
        if netgen gives no result.
    """
    (folder / "schematic.spice").write_text(schematic_text(design, lef))
    top = design.top
    command = ["netgen-lvs", "-batch", "lvs", f"{extracted.name} {top}", f"schematic.spice {top}"]
    command += [str(setup), "comparison.out", "-blackbox"]
    log = run(command, folder / "compare.log", f"netgen, comparing {top},", folder)
    return read_match(log, folder / "compare.log")


def read_match(log: str, path: Path) -> Match:
    """The result in netgen's messages.

    Raises
    ------
    FlowError
        if there is none.
    """
    counts = [
        re.findall(rf"Circuit 1 contains (\d+) {what}, +Circuit 2 contains (\d+) {what}", log)
        for what in ("devices", "nets")
    ]
    result = re.findall(r"^Result: (.*)$", log, re.MULTILINE)
    if not all(counts) or not result:
        raise FlowError(f"netgen gave no result (log: {path})")
    (devices, nets) = (tuple(map(int, found[-1])) for found in counts)
    # a comparison that needs symmetries to be broken by names is still a match
    matches = "match uniquely" in result[-1] and "do not match" not in log
    return Match(matches, (devices[0], devices[1]), (nets[0], nets[1]), path)


def _cards(text: str) -> Iterator[list[str]]:
    joined = text.replace("\n+", " ")
    for line in joined.splitlines():
        yield line.split()


def net_capacitances_ff(path: Path, design: Design) -> dict[str, float]:
    """Extracted capacitance of each net's wires to everything else, fF. Magic names a net by one
    of the pins on it; capacitors between two nets count for both.

    Raises
    ------
    FlowError
        if a capacitor is not in fF.
    """
    net_of = {f"{part.name}/{pin}": net for part in design.parts for pin, net in part.nets.items()}
    total = dict.fromkeys(design.nets, 0.0)
    for words in _cards(path.read_text()):
        if not words or not words[0].startswith("C"):
            continue
        value = re.fullmatch(r"(-?[\d.]+(?:e-?\d+)?)fF", words[3])
        if value is None:
            raise FlowError(f"{path}: capacitor {words[0]} of {words[3]} is not in fF")
        for node in words[1:3]:
            net = net_of.get(node, node)
            if net in total:
                total[net] += float(value.group(1))
    return total
