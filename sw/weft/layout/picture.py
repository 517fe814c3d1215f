"""A layout as SVG: cells below, wires by layer above."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from .def_file import Route, Segment
from .design import Design
from .floorplan import FILLER, Floorplan
from .lef import Lef

__all__ = ["picture_svg"]

#: Of layers from the lowest up, and of cells by kind; fillers are the ground the others lie on.
_LAYERS = ("#4a7fd6", "#d6504a", "#3fa66b", "#b08a1e", "#8a4fd0", "#2fa8b8")
_CELLS = {"flip-flop": "#c3d3f2", "gate": "#e6e2d9"}
_GROUND = "#f7f5f1"
#: Width of the die and of the margin around it, and the height of the legend below.
_WIDTH, _MARGIN, _LEGEND = 1000.0, 12.0, 26.0


def _tenths(*lengths_um: float) -> tuple[int, ...]:
    return tuple(round(length * 10) for length in lengths_um)


def _box(left: float, bottom: float, width: float, height: float) -> str:
    x, y, w, h = _tenths(left, bottom, width, height)
    return f"M{x} {y}h{w}v{h}h{-w}z"


def _line(wire: Segment) -> str:
    x0, y0, x1, y1 = _tenths(wire.x0_um, wire.y0_um, wire.x1_um, wire.y1_um)
    return f"M{x0} {y0}" + (f"h{x1 - x0}" if y0 == y1 else f"v{y1 - y0}")


def picture_svg(
    design: Design, lef: Lef, plan: Floorplan, routes: Mapping[str, Route], title: str
) -> str:
    """Cells as boxes (flip-flops, gates), supply straps and rails, wires in the colour of their
    layer, ports in black; vias left out."""
    _, _, die_right, die_top = plan.die
    scale = _WIDTH / die_right / 10
    width, height = _WIDTH + 2 * _MARGIN, die_top * 10 * scale + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height + _LEGEND:.0f}" '
        f'font-family="sans-serif" font-size="13"><title>{title}</title>',
        f'<rect width="{width:.0f}" height="{height + _LEGEND:.0f}" fill="white"/>',
        f'<g transform="translate({_MARGIN:.0f} {height - _MARGIN:.1f}) '
        f'scale({scale:.5f} {-scale:.5f})">',
    ]
    left, bottom, right, top = plan.core
    ground = _box(left, bottom, right - left, top - bottom)
    parts.append(f'<path d="{ground}" fill="{_GROUND}"/>')
    clocked = {part.macro.name for part in design.parts if _is_flop(lef, part.macro.name)}
    boxes = defaultdict(list)
    for part in plan.components:
        if part.macro != FILLER:
            macro = lef.macro(part.macro)
            kind = "flip-flop" if part.macro in clocked else "gate"
            boxes[kind].append(_box(part.x_um, part.y_um, macro.width_um, macro.height_um))
    for kind, colour in _CELLS.items():
        path = "".join(boxes[kind])
        parts.append(f'<path d="{path}" fill="{colour}" stroke="#a8a498" stroke-width="1"/>')
    for strap in plan.straps:
        wire = _box(strap.x_um - strap.width_um / 2, bottom, strap.width_um, top - bottom)
        far = right if strap.core_edge_um == left else left
        rails = "".join(_line(Segment("", strap.x_um, y, far, y)) for y in strap.rails_um)
        parts.append(f'<path d="{wire}" fill="{_LAYERS[1]}" opacity="0.6"/>')
        parts.append(f'<path d="{rails}" stroke="{_LAYERS[0]}" stroke-width="6" opacity="0.3"/>')
    legend = list(_CELLS.items())
    for layer, colour in zip(lef.layers.values(), _LAYERS, strict=False):
        wires = [_line(s) for r in routes.values() for s in r.segments if s.layer == layer.name]
        if wires:
            legend.append((layer.name, colour))
            parts.append(
                f'<path d="{"".join(wires)}" fill="none" stroke="{colour}" '
                f'stroke-width="{max(_tenths(layer.width_um)[0], 1)}" opacity="0.85"/>'
            )
    ports = "".join(_box(port.x_um - 0.6, port.y_um - 0.6, 1.2, 1.2) for port in plan.ports)
    parts.append(f'<path d="{ports}"/></g>')
    at, middle = _MARGIN, height + _LEGEND / 2 - 6
    for name, colour in legend:
        parts.append(
            f'<rect x="{at:.0f}" y="{middle - 6:.0f}" width="14" height="12" fill="{colour}" '
            f'stroke="#888" stroke-width="0.5"/><text x="{at + 19:.0f}" y="{middle + 5:.0f}">'
            f"{name}</text>"
        )
        at += 30 + 8 * len(name)
    parts.append(
        f'<text x="{width - _MARGIN:.0f}" y="{middle + 5:.0f}" text-anchor="end">'
        f"{title}: {die_right:.0f} by {die_top:.0f} µm</text></svg>"
    )
    return "\n".join(parts) + "\n"


def _is_flop(lef: Lef, name: str) -> bool:
    return any(pin.use == "CLOCK" for pin in lef.macro(name).pins.values())
