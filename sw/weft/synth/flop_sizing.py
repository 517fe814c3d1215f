"""Sizes flip-flops after mapping. ABC sizes gates but sees flip-flops as ideal sources, so a
minimum flip-flop may be left to drive a whole
multiplier; each is exchanged for the smallest of its kind that is nearly as fast as the fastest at
its load."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from .cells import Cell
from .delays import net_loads_ff
from .errors import FlowError
from .library import CellLibrary
from .mapping import Mapped
from .netlist import Instance, Netlist, read_netlist

__all__ = ["size_flops"]

#: How much slower than the fastest of its kind a smaller flip-flop may be.
_SLACK = 1.1
#: First line of an instance in Verilog as Yosys writes it: cell, name.
_INSTANCE = re.compile(r"^  (\S+) (\S+) +\($", re.MULTILINE)


def _kind(cell: Cell) -> tuple[object, ...]:
    """What must be equal for one flip-flop to stand for another."""
    flop = cell.flip_flop
    assert flop is not None
    names = dict(zip(flop.variables, ("state", "inverse"), strict=False))
    outputs = tuple(
        (
            pin.name,
            names.get(pin.function[1], "") if pin.function and pin.function[0] == "pin" else "",
        )
        for pin in cell.outputs
    )
    inputs = tuple(pin.name for pin in cell.inputs)
    return inputs, outputs, flop.next_state, flop.clocked_on, flop.clear, flop.preset


def _delay_ps(cell: Cell, loads: dict[str, float]) -> float:
    worst = 0.0
    for pin in cell.outputs:
        for arc in pin.timing:
            if cell.pins.get(arc.related) and cell.pins[arc.related].is_clock:
                worst = max(
                    worst, *(table.at(0.0, loads.get(pin.name, 0.0)) for table in arc.delay)
                )
    return worst


def _families(library: CellLibrary, used: Iterable[str]) -> dict[str, list[Cell]]:
    avoid = set(library.dont_use)
    candidates = [
        library.cell(name)
        for name in library.cell_names
        if name not in avoid and library.has_flip_flop(name)
    ]
    families = {}
    for name in used:
        kind = _kind(library.cell(name))
        families[name] = [cell for cell in candidates if _kind(cell) == kind]
    return families


def _choose(flop: Instance, family: list[Cell], netlist: Netlist, loads: np.ndarray) -> Cell:
    at = {
        pin.name: float(loads[flop.nets[pin.name]])
        for pin in flop.cell.outputs
        if pin.name in flop.nets
    }
    delays = {cell.name: _delay_ps(cell, at) for cell in family}
    limit = _SLACK * min(delays.values())
    return min((cell for cell in family if delays[cell.name] <= limit), key=lambda c: c.area_um2)


def size_flops(mapped: Mapped, library: CellLibrary) -> Mapped:
    """The netlist with its flip-flops sized; files are changed in place.

    Raises
    ------
    FlowError, LibertyError
        if the netlist cannot be read.
    """
    netlist = read_netlist(mapped.netlist_json, mapped.top, library)
    loads = net_loads_ff(netlist)
    families = _families(library, {flop.cell.name for flop in netlist.flops})
    new = {}
    for flop in netlist.flops:
        if len(families[flop.cell.name]) > 1:
            new[flop.name] = _choose(flop, families[flop.cell.name], netlist, loads).name
    text = mapped.verilog.read_text()
    data = json.loads(mapped.netlist_json.read_text())
    for name, cell_name in new.items():
        data["modules"][mapped.top]["cells"][name]["type"] = cell_name
    text = _INSTANCE.sub(
        lambda m: f"  {new.get(m.group(2).lstrip(chr(92)), m.group(1))} {m.group(2)}  (", text
    )
    if sum(new.get(n.lstrip(chr(92))) == c for c, n in _INSTANCE.findall(text)) != len(new):
        raise FlowError(f"the two netlists of {mapped.top} do not name their flip-flops alike")
    mapped.verilog.write_text(text)
    mapped.netlist_json.write_text(json.dumps(data))
    types = Counter(entry["type"] for entry in data["modules"][mapped.top]["cells"].values())
    area = sum(library.cell(name).area_um2 * count for name, count in types.items())
    return replace(mapped, cells=dict(sorted(types.items())), area_um2=area)
