"""Placement by graywolf: writes its netlist, reads where it puts cells and pins.

Graywolf (TimberWolf) anneals rows of cells. Its units are 1/100 µm, cells are given around their
centre, and its result is only as legal as its own wire-length model wants: rows are packed from
the left and pins lie around the core, off the routing grid. ``floorplan`` makes both legal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from weft.synth.errors import FlowError
from weft.synth.tools import run

from .design import Design
from .lef import Lef

__all__ = ["Placed", "Placement", "cel_text", "parameters_text", "place", "read_placement"]

#: Graywolf's units in one µm.
UNITS_PER_UM = 100
#: Its orientations as DEF has them.
_ORIENTATIONS = ("N", "FS", "FN", "S")
_PORT = "twpin_"


@dataclass(frozen=True, slots=True)
class Placed:
    """A cell in row ``row``, counted from 1 at the bottom; ``left_um`` orders the row."""

    name: str
    left_um: float
    row: int
    orientation: str


@dataclass(slots=True)
class Placement:
    """``ports`` are the wanted middles of port pins around the core, whose lower left is
    (0, 0)."""

    cells: list[Placed]
    ports: dict[str, tuple[float, float]]


def cel_text(design: Design, lef: Lef) -> str:
    """The design as graywolf's ``.cel``."""
    lines = []
    for number, part in enumerate(design.parts):
        half_width = round(part.macro.width_um * UNITS_PER_UM / 2)
        half_height = round(part.macro.height_um * UNITS_PER_UM / 2)
        lines.append(f"cell {number} {part.name}")
        lines.append(
            f"left {-half_width} right {half_width} bottom {-half_height} top {half_height}"
        )
        for pin, net in part.nets.items():
            if net not in design.nets:
                continue
            x_um, y_um = part.macro.pins[pin].centre_um
            x, y = round(x_um * UNITS_PER_UM) - half_width, round(y_um * UNITS_PER_UM) - half_height
            lines.append(f"pin name {pin} signal {net} layer 1 {x} {y}")
    across, along = (
        round(min(layer.pitch_um for layer in lef.layers.values() if layer.vertical is vertical)
        * UNITS_PER_UM / 2)
        for vertical in (True, False)
    )  # fmt: skip
    for number, port in enumerate((port for port in design.ports if port in design.nets), 1):
        lines.append(f"pad {number} name {_PORT}{port}")
        lines.append(
            f"corners 4 {-across} {-along} {-across} {along} {across} {along} {across} {-along}"
        )
        lines.append(f"pin name {port} signal {port} layer 1 0 0")
    return "\n".join(lines) + "\n"


def read_placement(path: Path) -> Placement:
    """Reads graywolf's ``.pl1``: name, left, bottom, right, top, orientation, row.

    Raises
    ------
    FlowError
        if it is missing or a line cannot be understood.
    """
    if not path.is_file():
        raise FlowError(f"graywolf wrote no placement {path}")
    cells, pads = [], {}
    for line in path.read_text().splitlines():
        words = line.split()
        if not words:
            continue
        try:
            left, bottom, right, top, orientation, row = map(int, words[1:7])
            if words[0].startswith(_PORT):
                pads[words[0].removeprefix(_PORT)] = ((left + right) / 2, (bottom + top) / 2)
            else:
                turned = _ORIENTATIONS[orientation]
                cells.append((Placed(words[0], left / UNITS_PER_UM, row, turned), left, bottom))
        except (ValueError, IndexError) as error:
            raise FlowError(f"{path}: {line!r} is no placed cell") from error
    if not cells:
        raise FlowError(f"{path} has no placed cells")
    west = min(left for _, left, _ in cells)
    south = min(bottom for _, _, bottom in cells)
    return Placement(
        [cell for cell, _, _ in cells],
        {
            name: ((x - west) / UNITS_PER_UM, (y - south) / UNITS_PER_UM)
            for name, (x, y) in pads.items()
        },
    )


def parameters_text(text: str, rows: int) -> str:
    """A library's parameters with the number of rows set."""
    lines = [line for line in text.splitlines() if "GENR*numrows" not in line]
    return "\n".join([*lines, f"GENR*numrows: {rows}", ""])


def place(
    design: Design, lef: Lef, parameters: Path, folder: Path, utilisation: float
) -> Placement:
    """Runs graywolf in ``folder`` with a library's parameter file, in as many rows as make the core
    square once fillers have stretched them to ``utilisation``.

    Raises
    ------
    FlowError
        if it stops or leaves cells out.
    """
    # of files from an earlier run it would take its rows from those
    for old in folder.glob(f"{design.top}.*"):
        old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    height_um = design.parts[0].macro.height_um
    rows = max(2, round(math.sqrt(design.cell_area_um2 / utilisation) / height_um))
    (folder / f"{design.top}.cel").write_text(cel_text(design, lef))
    (folder / f"{design.top}.par").write_text(parameters_text(parameters.read_text(), rows))
    run(
        ["graywolf", "-n", design.top],
        folder / "graywolf.log",
        f"graywolf, placing {design.top},",
        folder,
    )
    placement = read_placement(folder / f"{design.top}.pl1")
    missing = {part.name for part in design.parts} - {cell.name for cell in placement.cells}
    if missing:
        raise FlowError(f"graywolf left out {len(missing)} cells of {design.top}")
    return placement
