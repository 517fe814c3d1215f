"""Reads LEF: routing layers and the sizes, pins and obstructions of cells."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from weft.synth.errors import LibertyError

__all__ = ["Layer", "Lef", "Macro", "Pin", "Rect", "read_lef"]

#: Layer, left, bottom, right, top, µm.
Rect = tuple[str, float, float, float, float]


@dataclass(slots=True)
class Layer:
    """A routing layer. Lengths in µm, ``area_ff_per_um2`` of a plate over the substrate,
    ``edge_ff_per_um`` of each of its edges."""

    name: str
    vertical: bool = False
    pitch_um: float = 0.0
    width_um: float = 0.0
    spacing_um: float = 0.0
    area_ff_per_um2: float = 0.0
    edge_ff_per_um: float = 0.0

    @property
    def wire_ff_per_um(self) -> float:
        """Of a wire of the layer's width: area and two edges."""
        return self.area_ff_per_um2 * self.width_um + 2 * self.edge_ff_per_um


@dataclass(slots=True)
class Pin:
    """A pin of a cell and its shapes, relative to the cell's lower left corner."""

    name: str
    direction: str = ""
    use: str = "SIGNAL"
    shapes: list[Rect] = field(default_factory=list)

    @property
    def centre_um(self) -> tuple[float, float]:
        """The middle of its largest shape."""
        _, left, bottom, right, top = max(
            self.shapes, key=lambda shape: (shape[3] - shape[1]) * (shape[4] - shape[2])
        )
        return (left + right) / 2, (bottom + top) / 2


@dataclass(slots=True)
class Macro:
    """A cell: size in µm, pins by name, obstructions."""

    name: str
    width_um: float = 0.0
    height_um: float = 0.0
    pins: dict[str, Pin] = field(default_factory=dict)
    obstructions: list[Rect] = field(default_factory=list)


@dataclass(slots=True)
class Lef:
    """Routing layers from the lowest up, cells by name."""

    layers: dict[str, Layer] = field(default_factory=dict)
    macros: dict[str, Macro] = field(default_factory=dict)
    site_um: float = 0.0
    """Width of a placement site."""

    def macro(self, name: str) -> Macro:
        """A cell.

        Raises
        ------
        LibertyError
            if the file has none of that name.
        """
        if name not in self.macros:
            raise LibertyError(
                f"the LEF file has no cell {name}: give the LEF and Liberty files of one library"
            )
        return self.macros[name]


_BLOCK = re.compile(r"^(LAYER|MACRO|SITE|VIA|VIARULE|NONDEFAULTRULE|UNITS|SPACING)\b\s*(\S*)")
_RECT = re.compile(r"^RECT\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)")


def read_lef(path: Path) -> Lef:
    """Reads the layers and cells of a LEF file.

    Raises
    ------
    LibertyError
        if it cannot be read or has no routing layers or cells.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise LibertyError(f"{path} cannot be read as a LEF file: {error}") from error
    lef = Lef()
    lines = iter([line.split("#")[0].strip() for line in text.splitlines()])
    for line in lines:
        block = _BLOCK.match(line)
        if block is None:
            continue
        kind, name = block.groups()
        body = []
        for inner in lines:
            if inner.split() == ["END", name or kind]:
                break
            body.append(inner)
        if kind == "LAYER" and any(item.split()[:2] == ["TYPE", "ROUTING"] for item in body):
            lef.layers[name] = _layer(name, body)
        elif kind == "MACRO":
            lef.macros[name] = _macro(name, body)
        elif kind == "SITE":
            lef.site_um = next(float(i.split()[1]) for i in body if i.startswith("SIZE"))
    if not lef.layers or not lef.macros:
        raise LibertyError(
            f"{path} has no routing layers or no cells: give a LEF file with both, "
            "as Debian's qflow-tech packages have"
        )
    return lef


def _layer(name: str, body: list[str]) -> Layer:
    layer = Layer(name)
    for line in body:
        words = line.split()
        match words[:1]:
            case ["DIRECTION"]:
                layer.vertical = words[1] == "VERTICAL"
            case ["PITCH"]:
                layer.pitch_um = float(words[1])
            case ["WIDTH"]:
                layer.width_um = float(words[1])
            case ["SPACING"]:
                layer.spacing_um = float(words[1])
            case ["CAPACITANCE"]:
                layer.area_ff_per_um2 = float(words[2]) * 1e3
            case ["EDGECAPACITANCE"]:
                layer.edge_ff_per_um = float(words[1]) * 1e3
    return layer


def _macro(name: str, body: list[str]) -> Macro:
    macro = Macro(name)
    pin: Pin | None = None
    shapes: list[Rect] = macro.obstructions
    layer = ""
    for line in body:
        words = line.split()
        match words[:1]:
            case ["SIZE"]:
                macro.width_um, macro.height_um = float(words[1]), float(words[3])
            case ["PIN"]:
                pin = macro.pins[words[1]] = Pin(words[1])
                shapes = pin.shapes
            case ["OBS"]:
                shapes = macro.obstructions
            case ["DIRECTION"] if pin:
                pin.direction = words[1]
            case ["USE"] if pin:
                pin.use = words[1]
            case ["LAYER"]:
                layer = words[1]
        rect = _RECT.match(line)
        if rect:
            left, bottom, right, top = map(float, rect.groups())
            shapes.append((layer, left, bottom, right, top))
    return macro
