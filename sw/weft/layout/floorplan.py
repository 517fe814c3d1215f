"""Makes a placement legal: rows of cells with fillers, ports on tracks around them, supply straps.

Everything lies on the routing grid, whose origin is the track at (0, 0), the die's corner; the
router rounds negative coordinates off the grid, so there are none. The core starts half a pitch
from a track, so that tracks meet the pins of cells. Rows are mirrored in
turn and share their rails; ``vdd`` rails reach a strap east of the core, ``gnd`` rails one west of
it::

      ports   +--------------------------+   ports
       M3     |  row 2            N      |    M3
     gnd strap+--------------------------+ vdd strap
              |  row 1            FS     |
              +--------------------------+
                        ports, M2
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

from weft.synth.errors import FlowError

from .design import Design
from .lef import Layer, Lef, Rect
from .placement import Placement

__all__ = ["FILLER", "Component", "Floorplan", "PortPin", "Strap", "make_floorplan", "spread"]

FILLER = "FILL"
#: From the core to a strap, its width, and from there to the ports, µm.
_STRAP_GAP_UM, _STRAP_UM, _PORT_GAP_UM = 1.2, 2.0, 2.4


@dataclass(frozen=True, slots=True)
class Component:
    """A cell with its lower left corner, µm, and orientation as DEF has it."""

    name: str
    macro: str
    x_um: float
    y_um: float
    orientation: str


@dataclass(frozen=True, slots=True)
class PortPin:
    """A port's square of metal around (x, y), µm."""

    name: str
    layer: str
    x_um: float
    y_um: float


@dataclass(frozen=True, slots=True)
class Strap:
    """A vertical supply wire of the second layer and the y of the rails that join it, µm."""

    net: str
    x_um: float
    width_um: float
    rails_um: tuple[float, ...]
    core_edge_um: float


@dataclass(slots=True)
class Floorplan:
    """``core`` and ``die`` are left, bottom, right, top, µm."""

    core: tuple[float, float, float, float]
    die: tuple[float, float, float, float]
    components: list[Component] = field(default_factory=list)
    ports: list[PortPin] = field(default_factory=list)
    straps: list[Strap] = field(default_factory=list)

    def obstructions(self, lef: Lef) -> list[Rect]:
        """Where the router may not go: the lowest layer outside the core, and beside it the layers
        across the way from the ports inwards, where the straps are."""
        left, bottom, right, top = self.core
        _, _, die_right, die_top = self.die
        found = []
        for index, layer in enumerate(lef.layers.values()):
            if index == 0 or not layer.vertical:
                found.append((layer.name, 0.0, 0.0, die_right, bottom - 0.5))
                found.append((layer.name, 0.0, top + 0.5, die_right, die_top))
            if index == 0 or layer.vertical:
                found.append((layer.name, 0.0, 0.0, left - 0.4, die_top))
                found.append((layer.name, right + 0.4, 0.0, die_right, die_top))
        return found

    @property
    def core_area_um2(self) -> float:
        left, bottom, right, top = self.core
        return (right - left) * (top - bottom)


def spread(widths: list[int], total: int) -> list[int]:
    """Places of cells of these widths in a row ``total`` wide with gaps as even as whole sites
    allow.

    Raises
    ------
    ValueError
        if they do not fit.
    """
    free = total - sum(widths)
    if free < 0:
        raise ValueError(f"cells of {sum(widths)} sites do not fit a row of {total}")
    places, at = [], 0
    for index, width in enumerate(widths):
        before = free * index // max(len(widths), 1)
        places.append(at + before)
        at += width
    return places


def make_floorplan(design: Design, lef: Lef, placement: Placement, utilisation: float) -> Floorplan:
    """Legal places for cells, fillers, ports and supply, with cells covering ``utilisation`` of
    the core.

    Raises
    ------
    FlowError
        if rows are not mirrored in turn or an edge has not enough tracks for its ports.
    """
    across, along = _first_layers(lef)
    macros = {part.name: part.macro for part in design.parts}
    rows = defaultdict(list)
    for cell in placement.cells:
        rows[cell.row].append(cell)
    width_sites = {name: round(m.width_um / lef.site_um) for name, m in macros.items()}
    row_sites = {row: sum(width_sites[c.name] for c in cells) for row, cells in rows.items()}
    wanted = math.ceil(sum(row_sites.values()) / (len(rows) * utilisation))
    total = max(wanted, *row_sites.values())
    height = next(iter(macros.values())).height_um
    beside, below = _STRAP_GAP_UM + _STRAP_UM + 2 * _PORT_GAP_UM, 2 * _PORT_GAP_UM
    left = (math.ceil(beside / across.pitch_um) + 0.5) * across.pitch_um
    bottom = (math.ceil(below / along.pitch_um) + 0.5) * along.pitch_um
    right, top = left + total * lef.site_um, bottom + len(rows) * height
    die = (0.0, 0.0, right + left, top + bottom)
    plan = Floorplan((left, bottom, right, top), die)
    fillers = 0
    for place, row in enumerate(sorted(rows)):
        cells = sorted(rows[row], key=lambda cell: cell.left_um)
        upright = {cell.orientation in ("N", "FN") for cell in cells}
        if upright != {place % 2 == 1}:
            raise FlowError(f"row {row} of {design.top} is not mirrored against its neighbour")
        y = bottom + place * height
        widths = [width_sites[cell.name] for cell in cells]
        taken: set[int] = set()
        for cell, site, width in zip(cells, spread(widths, total), widths, strict=True):
            x = left + site * lef.site_um
            plan.components.append(
                Component(cell.name, macros[cell.name].name, x, y, cell.orientation)
            )
            taken.update(range(site, site + width))
        for site in sorted(set(range(total)) - taken):
            x = left + site * lef.site_um
            plan.components.append(
                Component(f"fill_{fillers}", FILLER, x, y, "N" if place % 2 else "FS")
            )
            fillers += 1
    _supply(plan, len(rows), height)
    _ports(plan, placement, across, along)
    return plan


def _first_layers(lef: Lef) -> tuple[Layer, Layer]:
    """The lowest vertical and horizontal layers above the first, which carry ports."""
    layers = list(lef.layers.values())[1:]
    return (
        next(layer for layer in layers if layer.vertical),
        next(layer for layer in layers if not layer.vertical),
    )


def _supply(plan: Floorplan, row_count: int, height: float) -> None:
    """The lowest row is mirrored, so ``vdd`` is the lowest rail."""
    left, bottom, right, _ = plan.core
    rails = [bottom + index * height for index in range(row_count + 1)]
    away = _STRAP_GAP_UM + _STRAP_UM / 2
    plan.straps = [
        Strap("gnd", left - away, _STRAP_UM, tuple(rails[1::2]), left),
        Strap("vdd", right + away, _STRAP_UM, tuple(rails[0::2]), right),
    ]


def _ports(plan: Floorplan, placement: Placement, across: Layer, along: Layer) -> None:
    left, bottom, right, top = plan.core
    die_right, die_top = plan.die[2:]
    # two tracks inside the die's edge
    west, south = 2 * across.pitch_um, 2 * along.pitch_um
    east, north = die_right - west, die_top - south
    # graywolf's core is not stretched by fillers
    wide = max(x for x, _ in placement.ports.values())
    tall = max(y for _, y in placement.ports.values())
    edges: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for name, (x, y) in placement.ports.items():
        distance = {"west": x, "east": wide - x, "south": y, "north": tall - y}
        edge = min(distance, key=lambda side: distance[side])
        share = y / tall if edge in ("west", "east") else x / wide
        edges[edge].append((share, name))
    for edge, wishes in edges.items():
        if edge in ("west", "east"):
            x = west if edge == "west" else east
            for name, y in _on_tracks(wishes, bottom, top, along.pitch_um, edge):
                plan.ports.append(PortPin(name, along.name, x, y))
        else:
            y = south if edge == "south" else north
            for name, x in _on_tracks(wishes, left, right, across.pitch_um, edge):
                plan.ports.append(PortPin(name, across.name, x, y))


def _on_tracks(
    wishes: list[tuple[float, str]], low: float, high: float, pitch: float, edge: str
) -> list[tuple[str, float]]:
    """A track of its own for each port, near its wish, every second track where there is room."""
    first, last = math.ceil(low / pitch), math.floor(high / pitch)
    step = 2 if len(wishes) <= (last - first) // 2 else 1
    slots = (last - first) // step + 1
    if len(wishes) > slots:
        raise FlowError(
            f"the {edge} edge has {slots} tracks for {len(wishes)} ports: lower the utilisation"
        )
    result, free = [], 0
    for index, (share, name) in enumerate(sorted(wishes)):
        latest = slots - (len(wishes) - index)
        slot = min(max(free, round(share * (slots - 1))), latest)
        result.append((name, (first + slot * step) * pitch))
        free = slot + 1
    return result
