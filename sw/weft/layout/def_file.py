"""Writes a floorplan as DEF, adds the supply to the routed one and reads its wires.

The router gets no supply nets: with any in ``SPECIALNETS`` it numbers the first signal nets like
its supply (``swap_i`` became one with ``vdd``, ``load_i`` could not be routed). Their places are
obstructions for it, and they are added afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from weft.synth.errors import FlowError

from .design import Design
from .floorplan import Floorplan, Strap
from .lef import Lef

__all__ = ["Route", "Segment", "def_text", "read_routes", "with_supply"]

#: DEF units in one µm.
UNITS_PER_UM = 100
#: Between the vias of a rail and a strap, and how many stand side by side.
_VIA_STEP_UM, _VIAS = 0.6, 3


@dataclass(frozen=True, slots=True)
class Segment:
    """A wire along one axis, µm; its width is the layer's."""

    layer: str
    x0_um: float
    y0_um: float
    x1_um: float
    y1_um: float

    @property
    def length_um(self) -> float:
        return abs(self.x1_um - self.x0_um) + abs(self.y1_um - self.y0_um)


@dataclass(slots=True)
class Route:
    """Wires and vias (name, x, y) of one net."""

    segments: list[Segment] = field(default_factory=list)
    vias: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def length_um(self) -> float:
        return sum(segment.length_um for segment in self.segments)


def _units(*lengths_um: float) -> str:
    return " ".join(str(round(length * UNITS_PER_UM)) for length in lengths_um)


def _section(name: str, entries: list[str]) -> list[str]:
    return [f"{name} {len(entries)} ;", *entries, f"END {name}", ""]


def def_text(design: Design, lef: Lef, plan: Floorplan) -> str:
    """The floorplan with its signal nets unrouted."""
    left, bottom, right, top = plan.die
    lines = [
        "VERSION 5.6 ;",
        "NAMESCASESENSITIVE ON ;",
        'DIVIDERCHAR "/" ;',
        'BUSBITCHARS "<>" ;',
        f"DESIGN {design.top} ;",
        f"UNITS DISTANCE MICRONS {UNITS_PER_UM} ;",
        f"DIEAREA ( {_units(left, bottom)} ) ( {_units(right, top)} ) ;",
        "",
    ]
    for layer in lef.layers.values():
        start, end, axis = (left, right, "X") if layer.vertical else (bottom, top, "Y")
        count = 1 + int((end - start) / layer.pitch_um + 1e-6)
        lines.append(
            f"TRACKS {axis} {_units(start)} DO {count} STEP {_units(layer.pitch_um)} "
            f"LAYER {layer.name} ;"
        )
    lines.append("")
    lines += _section(
        "COMPONENTS",
        [
            f"- {part.name} {part.macro} + PLACED ( {_units(part.x_um, part.y_um)} ) "
            f"{part.orientation} ;"
            for part in plan.components
        ],
    )
    lines += _section("PINS", list(_ports(design, lef, plan)))
    nets = []
    for net, pins in design.nets.items():
        ends = [("PIN", net)] if net in design.ports else []
        # one in a line: the router cuts what straddles 2047 characters, and loses that pin
        terminals = "\n  ".join(f"( {part} {pin} )" for part, pin in [*ends, *pins])
        nets.append(f"- {net}\n  {terminals} ;")
    lines += _section("NETS", nets)
    return "\n".join([*lines, "END DESIGN", ""])


def _ports(design: Design, lef: Lef, plan: Floorplan) -> Iterable[str]:
    for pin in plan.ports:
        half = lef.layers[pin.layer].width_um / 2
        yield (
            f"- {pin.name} + NET {pin.name} + DIRECTION {design.ports[pin.name].upper()} "
            f"+ LAYER {pin.layer} ( {_units(-half, -half)} ) ( {_units(half, half)} ) "
            f"+ PLACED ( {_units(pin.x_um, pin.y_um)} ) N ;"
        )


def _supply_ports(plan: Floorplan, lef: Lef) -> Iterable[str]:
    """One on each strap."""
    second = list(lef.layers)[1]
    for strap in plan.straps:
        half = strap.width_um / 2
        use = "POWER" if strap.net == "vdd" else "GROUND"
        yield (
            f"- {strap.net} + NET {strap.net} + SPECIAL + DIRECTION INOUT + USE {use} "
            f"+ LAYER {second} ( {_units(-half, -half)} ) ( {_units(half, half)} ) "
            f"+ PLACED ( {_units(strap.x_um, strap.rails_um[0])} ) N ;"
        )


def _strap(strap: Strap, plan: Floorplan, lef: Lef) -> str:
    """Rails reach over the strap's width; vias stand on the overlap."""
    first, second = list(lef.layers)[:2]
    _, bottom, _, top = plan.core
    half = strap.width_um / 2
    rail_um = next(
        shape[4] - shape[2]
        for shape in lef.macro("FILL").pins[strap.net].shapes
        if shape[0] == first
    )
    outer = strap.x_um + (half if strap.x_um > strap.core_edge_um else -half)
    wires = [
        f"{second} {_units(strap.width_um)} ( {_units(strap.x_um, bottom - 0.5)} ) "
        f"( {_units(strap.x_um, top + 0.5)} )"
    ]
    for y in strap.rails_um:
        wires.append(
            f"{first} {_units(rail_um)} ( {_units(strap.core_edge_um, y)} ) ( {_units(outer, y)} )"
        )
        for index in range(_VIAS):
            x = strap.x_um + (index - (_VIAS - 1) / 2) * _VIA_STEP_UM
            wires.append(f"{first} {_units(rail_um)} ( {_units(x, y)} ) M2_M1")
    return f"- {strap.net}\n  + ROUTED " + "\n    NEW ".join(wires) + " ;"


def with_supply(routed: str, plan: Floorplan, lef: Lef) -> str:
    """A routed DEF with straps, rails and ports of the supply.

    Raises
    ------
    FlowError
        if it has no pins.
    """
    ports = list(_supply_ports(plan, lef))
    straps = [_strap(strap, plan, lef) for strap in plan.straps]
    pins = re.search(r"^PINS\b.*?^END PINS\n", routed, re.MULTILINE | re.DOTALL)
    if pins is None:
        raise FlowError("the router wrote a DEF file without pins")
    kept = [line for line in pins.group().splitlines() if line.startswith("-")]
    routed = (
        routed[: pins.start()] + "\n".join(_section("PINS", kept + ports)) + routed[pins.end() :]
    )
    # the router's own special nets are pieces of wire beside pins
    special = re.search(
        r"^SPECIALNETS (\d+) ;\n(.*?)^END SPECIALNETS\n", routed, re.MULTILINE | re.DOTALL
    )
    if special is None:
        return routed.replace(
            "END DESIGN", "\n".join(_section("SPECIALNETS", straps)) + "END DESIGN"
        )
    count = int(special.group(1)) + len(straps)
    text = f"SPECIALNETS {count} ;\n" + "\n".join(straps) + f"\n{special.group(2)}END SPECIALNETS\n"
    return routed[: special.start()] + text + routed[special.end() :]


_NET = re.compile(r"^- (\S+)(.*?);", re.MULTILINE | re.DOTALL)
_PIECE = re.compile(r"(?:ROUTED|NEW)\s+(\S+)\s+(.*?)(?=\bNEW\b|\Z)", re.DOTALL)
_TOKEN = re.compile(r"\(\s*(\S+)\s+(\S+)(?:\s+\S+)?\s*\)|(\S+)")


def read_routes(path: Path) -> dict[str, Route]:
    """Routes of all nets of a DEF file; a net without wires has an empty one.

    Raises
    ------
    FlowError
        if it has no nets.
    """
    text = path.read_text()
    units = re.search(r"UNITS DISTANCE MICRONS (\d+)", text)
    section = re.search(r"^NETS\b[^;]*;(.*?)^END NETS", text, re.MULTILINE | re.DOTALL)
    if section is None or units is None:
        raise FlowError(f"{path} has no units or nets: it is not a routed DEF file")
    scale = float(units.group(1))
    routes = {}
    for net in _NET.finditer(section.group(1)):
        route = routes[net.group(1)] = Route()
        for piece in _PIECE.finditer(net.group(2)):
            _read_piece(route, piece.group(1), piece.group(2), scale)
    return routes


def _read_piece(route: Route, layer: str, path: str, scale: float) -> None:
    x = y = None
    for token in _TOKEN.finditer(path):
        new_x, new_y, word = token.groups()
        if word is not None:
            if x is not None and y is not None and word != "+":
                route.vias.append((word, x, y))
            continue
        at_x = x if new_x == "*" and x is not None else float(new_x) / scale
        at_y = y if new_y == "*" and y is not None else float(new_y) / scale
        if x is not None and y is not None and (x, y) != (at_x, at_y):
            route.segments.append(Segment(layer, x, y, at_x, at_y))
        x, y = at_x, at_y
