"""The mapped netlist as SPICE with cells as black boxes: what the layout is compared with."""

from __future__ import annotations

from .design import Design
from .lef import Lef

__all__ = ["schematic_text"]

_SUPPLY = ("vdd", "gnd")


def schematic_text(design: Design, lef: Lef) -> str:
    """One empty sub-circuit for each cell, pins as in the LEF, and the block; a pin without a net
    gets one of its own. Ports that join nothing are left out, as they are in the layout."""
    lines = []
    for name in sorted({part.macro.name for part in design.parts}):
        lines += [f".subckt {name} {' '.join(lef.macro(name).pins)}", ".ends", ""]
    ports = [port for port in design.ports if port in design.nets]
    lines.append(" ".join([".subckt", design.top, *_SUPPLY, *ports]))
    for part in design.parts:
        nets = [
            pin if pin in _SUPPLY else part.nets.get(pin, f"open_{part.name}_{pin}")
            for pin in part.macro.pins
        ]
        lines.append(" ".join([f"X{part.name}", *nets, part.macro.name]))
    return "\n".join([*lines, ".ends", ".end", ""])
