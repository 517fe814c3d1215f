"""A layout as SVG: cells below, wires by layer above."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from .def_file import Route
from .design import Design
from .floorplan import FILLER, Floorplan
from .lef import Lef

__all__ = ["picture_svg"]

#: Of layers from the lowest up, and of cells by kind.
_LAYERS = ("#4a7fd6", "#d6504a", "#3fa66b", "#b08a1e", "#8a4fd0", "#2fa8b8")
_CELLS = {"flip-flop": "#c9d7f2", "gate": "#e9e6df", "filler": "#f8f7f4"}
#: Width of the picture without its margin, and the margin with the legend below, in its units.
_WIDTH, _MARGIN, _LEGEND = 1000.0, 12.0, 26.0


def picture_svg(
    design: Design, lef: Lef, plan: Floorplan, routes: Mapping[str, Route], title: str
) -> str:
    """Cells as boxes (flip-flops, gates, fillers), supply straps, wires in the colour of their
    layer, vias left out."""
    _, _, die_right, die_top = plan.die
    scale = _WIDTH / die_right
    height = die_top * scale

    def x(value: float) -> str:
        return f"{_MARGIN + value * scale:.1f}"

    def y(value: float) -> str:
        return f"{_MARGIN + (die_top - value) * scale:.1f}"

    def box(left: float, bottom: float, right: float, top: float) -> str:
        return f"M{x(left)} {y(bottom)}H{x(right)}V{y(top)}H{x(left)}z"

    width, total = _WIDTH + 2 * _MARGIN, height + 2 * _MARGIN + _LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {total:.0f}" '
        f'font-family="sans-serif" font-size="13"><title>{title}</title>',
        f'<rect width="{width:.0f}" height="{total:.0f}" fill="white"/>',
    ]
    boxes = defaultdict(list)
    for part in plan.components:
        macro = lef.macro(part.macro)
        kind = "filler" if part.macro == FILLER else "flip-flop"
        if kind != "filler" and not any(pin.use == "CLOCK" for pin in macro.pins.values()):
            kind = "gate"
        right, top = part.x_um + macro.width_um, part.y_um + macro.height_um
        boxes[kind].append(box(part.x_um, part.y_um, right, top))
    for kind, colour in _CELLS.items():
        path = "".join(boxes[kind])
        parts.append(f'<path d="{path}" fill="{colour}" stroke="#b8b4aa" stroke-width="0.3"/>')
    _, bottom, _, top = plan.core
    straps = "".join(
        box(s.x_um - s.width_um / 2, bottom, s.x_um + s.width_um / 2, top) for s in plan.straps
    )
    parts.append(f'<path d="{straps}" fill="{_LAYERS[1]}" opacity="0.5"/>')
    lines = defaultdict(list)
    for route in routes.values():
        for wire in route.segments:
            lines[wire.layer].append(
                f"M{x(wire.x0_um)} {y(wire.y0_um)}L{x(wire.x1_um)} {y(wire.y1_um)}"
            )
    legend = [("flip-flop", _CELLS["flip-flop"]), ("gate", _CELLS["gate"])]
    for layer, colour in zip(lef.layers.values(), _LAYERS, strict=False):
        if not lines[layer.name]:
            continue
        legend.append((layer.name, colour))
        parts.append(
            f'<path d="{"".join(lines[layer.name])}" fill="none" stroke="{colour}" '
            f'stroke-width="{max(layer.width_um * scale, 0.3):.2f}" opacity="0.8"/>'
        )
    for port in plan.ports:
        square = box(port.x_um - 0.5, port.y_um - 0.5, port.x_um + 0.5, port.y_um + 0.5)
        parts.append(f'<path d="{square}" fill="black"/>')
    at = _MARGIN
    for name, colour in legend:
        middle = total - _LEGEND / 2 - 4
        parts.append(
            f'<rect x="{at:.0f}" y="{middle - 6:.0f}" width="14" height="12" fill="{colour}" '
            f'stroke="#888" stroke-width="0.5"/><text x="{at + 19:.0f}" y="{middle + 5:.0f}">'
            f"{name}</text>"
        )
        at += 30 + 8 * len(name)
    parts.append(
        f'<text x="{width - _MARGIN:.0f}" y="{total - _LEGEND / 2 + 1:.0f}" text-anchor="end">'
        f"{title}: {die_right:.0f} by {die_top:.0f} µm</text></svg>"
    )
    return "\n".join(parts) + "\n"
