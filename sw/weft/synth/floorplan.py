"""A sketch of a chip's floorplan to scale: tiles in their mesh, endpoints on the west edge, control
in the north-west; inside a tile its blocks by area.

A sketch: it shows how large what is, not where a tool would place it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from .chip_estimate import ChipEstimate

__all__ = ["Box", "floorplan_svg", "place_chip", "slice_and_dice"]

#: Group -> (label, fill). Colours differ in lightness too, so that they print in grey.
GROUPS = {
    "array": ("array", "#3b6fb6"),
    "scratchpad": ("scratchpad", "#9cc3a5"),
    "accumulator": ("accumulator", "#d8e2a8"),
    "vector": ("vector", "#e8a33d"),
    "dma": ("load, store", "#c96a5a"),
    "commands": ("front ends", "#8d7cab"),
    "router": ("routers", "#5f6b76"),
    "endpoint": ("endpoint", "#a88b6a"),
    "control": ("control", "#d5c4a1"),
}
_WIDTH_PX = 960
#: Of more tiles than that, one is drawn again, large enough for labels.
_LABELLED_TILES, _INSET_PX = 4, 250
_TEXT = "font-family='Helvetica, Arial, sans-serif'"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in mm with the group that fills it."""

    group: str
    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """mm²."""
        return self.width * self.height


def slice_and_dice(areas: Sequence[tuple[str, float]], box: Box) -> list[Box]:
    """Fills a box with rectangles of given areas (in any unit; their sum fills the box): halves of
    about equal area, cut across the longer side each time."""
    total = sum(area for _, area in areas)
    if not areas or total <= 0:
        return []
    if len(areas) == 1:
        return [Box(areas[0][0], box.x, box.y, box.width, box.height)]
    order = sorted(areas, key=lambda item: -item[1])
    first, rest, filled = [order[0]], order[1:], order[0][1]
    while len(rest) > 1 and filled + rest[-1][1] <= total / 2:
        filled += rest[-1][1]
        first.append(rest.pop())
    share = filled / total
    if box.width >= box.height:
        cut = box.width * share
        parts = (Box("", box.x, box.y, cut, box.height),
                 Box("", box.x + cut, box.y, box.width - cut, box.height))  # fmt: skip
    else:
        cut = box.height * share
        parts = (Box("", box.x, box.y, box.width, cut),
                 Box("", box.x, box.y + cut, box.width, box.height - cut))  # fmt: skip
    return [*slice_and_dice(first, parts[0]), *slice_and_dice(rest, parts[1])]


def place_chip(
    estimate: ChipEstimate, cols: int, rows: int, endpoints: int
) -> tuple[Box, list[list[Box]], list[Box]]:
    """The die's core, the boxes of each tile, and those of the west edge. Areas are those of the
    estimate: the channels between blocks are drawn as the margin around each tile."""
    tiles = cols * rows
    groups: dict[str, float] = {}
    for part in estimate.parts:
        share = tiles if part.per_tile else 1
        groups[part.group] = groups.get(part.group, 0.0) + part.area_mm2.value / share
    inside = [(g, a) for g, a in groups.items() if g not in ("endpoint", "control")]
    tile_area = sum(area for _, area in inside)
    channels = estimate.area_mm2.value / sum(p.area_mm2.value for p in estimate.parts)
    pitch = math.sqrt(tile_area * channels)
    side = math.sqrt(tile_area)
    margin = (pitch - side) / 2
    height = rows * pitch
    edge_area = (groups["endpoint"] + groups["control"]) * channels
    edge = edge_area / height
    die = Box("", 0.0, 0.0, edge + cols * pitch, height)
    placed = [
        slice_and_dice(inside, Box("", edge + c * pitch + margin, r * pitch + margin, side, side))
        for r in range(rows)
        for c in range(cols)
    ]
    top = groups["control"] * channels / edge
    west = [Box("control", 0.0, 0.0, edge, top)]
    each = groups["endpoint"] * channels / edge / endpoints
    west += [Box("endpoint", 0.0, top + n * each, edge, each) for n in range(endpoints)]
    return die, placed, west


def _rect(box: Box, scale: float, fill: str, stroke: str = "#ffffff") -> str:
    return (
        f"<rect x='{box.x * scale:.2f}' y='{box.y * scale:.2f}' width='{box.width * scale:.2f}' "
        f"height='{box.height * scale:.2f}' fill='{fill}' stroke='{stroke}' stroke-width='0.8'/>"
    )


def _label(box: Box, scale: float, lines: Sequence[str], dark: bool) -> str:
    """Text in the middle of a box, turned if that fits better; nothing where none fits."""
    width, height = box.width * scale, box.height * scale
    turned = height > 1.5 * width
    along, across = (height, width) if turned else (width, height)
    longest = max(map(len, lines))
    size = min(13.0, along / (0.6 * longest + 1), across / (1.25 * len(lines) + 0.3))
    if size < 6.5:
        return ""
    x, y = (box.x + box.width / 2) * scale, (box.y + box.height / 2) * scale
    turn = f" transform='rotate(-90 {x:.1f} {y:.1f})'" if turned else ""
    top = y - (len(lines) - 1) * 0.6 * size + 0.35 * size
    fill = "#ffffff" if dark else "#1c2126"
    spans = "".join(
        f"<tspan x='{x:.1f}' y='{top + 1.2 * size * n:.1f}'>{escape(line)}</tspan>"
        for n, line in enumerate(lines)
    )
    return (
        f"<text {_TEXT} font-size='{size:.1f}' fill='{fill}' text-anchor='middle'{turn}>"
        f"{spans}</text>"
    )


def _filled(boxes: Sequence[Box], scale: float, drawn_larger: float = 1.0) -> list[str]:
    """Boxes with their labels. ``drawn_larger``: area drawn over that of the block."""
    shapes = []
    for box in boxes:
        label, colour = GROUPS[box.group]
        text = [label, f"{_short(box.area / drawn_larger)} mm²"]
        shapes += [_rect(box, scale, colour), _label(box, scale, text, _is_dark(colour))]
    return shapes


def _magnified(boxes: Sequence[Box], x: float, y: float) -> Iterable[str]:
    """One tile alone, its corner at (x, y)."""
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    side = max(box.x + box.width for box in boxes) - left
    moved = [Box(b.group, b.x - left, b.y - top, b.width, b.height) for b in boxes]
    yield f"<text {_TEXT} font-size='13' fill='#1c2126' x='{x}' y='{y}'>one tile</text>"
    yield f"<g transform='translate({x} {y + 10})'>"
    yield from _filled(moved, _INSET_PX / side)
    yield "</g>"


def _is_dark(colour: str) -> bool:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140


def floorplan_svg(estimate: ChipEstimate, cols: int, rows: int, endpoints: int) -> str:
    """The sketch as an SVG document with a legend in mm² and a scale bar."""
    die, tiles, west = place_chip(estimate, cols, rows, endpoints)
    scale = min((_WIDTH_PX - 300) / die.width, 760 / die.height)
    channels = estimate.area_mm2.value / sum(part.area_mm2.value for part in estimate.parts)
    body = [shape for boxes in tiles for shape in _filled(boxes, scale)]
    body += _filled(west, scale, channels)
    width, height = die.width * scale, die.height * scale
    legend_x = width + 28
    body.append(_rect(die, scale, "none", "#1c2126"))
    body += _legend(estimate, legend_x)
    body += _scale_bar(die, scale, height)
    total_height = max(height + 46, 190 + 22 * len(GROUPS))
    if len(tiles) > _LABELLED_TILES:
        body += _magnified(tiles[0], legend_x, 190 + 22 * len(GROUPS))
        total_height = max(total_height, 230 + 22 * len(GROUPS) + _INSET_PX)
    title = (
        f"{estimate.config} on {estimate.node}: {_short(estimate.area_mm2.value)} mm² core "
        f"({die.width:.3g} x {die.height:.3g} mm), modelled"
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{legend_x + 272:.0f}' "
        f"height='{total_height + 52:.0f}' "
        f"viewBox='-16 -40 {legend_x + 272:.0f} {total_height + 52:.0f}'>\n"
        f"<rect x='-16' y='-40' width='100%' height='100%' fill='#ffffff'/>\n"
        f"<text {_TEXT} font-size='16' fill='#1c2126' x='0' y='-16'>{escape(title)}</text>\n"
        + "\n".join(filter(None, body))
        + "\n</svg>\n"
    )


def _short(area: float) -> str:
    return f"{area:,.0f}" if area >= 100 else f"{area:.3g}"


def _legend(estimate: ChipEstimate, x: float) -> Iterable[str]:
    groups: dict[str, float] = {}
    for part in estimate.parts:
        groups[part.group] = groups.get(part.group, 0.0) + part.area_mm2.value
    total = sum(groups.values())
    y = 12.0
    for group, (label, colour) in GROUPS.items():
        area = groups.get(group, 0.0)
        yield f"<rect x='{x}' y='{y - 11}' width='14' height='14' fill='{colour}'/>"
        yield (
            f"<text {_TEXT} font-size='13' fill='#1c2126' x='{x + 22}' y='{y}'>{label}</text>"
            f"<text {_TEXT} font-size='13' fill='#1c2126' x='{x + 190}' y='{y}' "
            f"text-anchor='end'>{_short(area)} mm²</text>"
            f"<text {_TEXT} font-size='13' fill='#5f6b76' x='{x + 240}' y='{y}' "
            f"text-anchor='end'>{100 * area / total:.1f} %</text>"
        )
        y += 22
    channels = estimate.area_mm2.value - total
    notes = [
        f"channels between blocks: {_short(channels)} mm²",
        f"clock {estimate.frequency_ghz.value:.2f} GHz, limited by {estimate.limited_by}",
        f"{_short(estimate.peak_tops)} TOPS at peak, {estimate.power_w.value:.3g} W, "
        f"TDP {estimate.tdp_w.value:.3g} W",
        "without pads, PLL, memory PHYs, test logic",
    ]
    for note in notes:
        y += 20
        yield f"<text {_TEXT} font-size='12' fill='#5f6b76' x='{x}' y='{y}'>{escape(note)}</text>"


def _scale_bar(die: Box, scale: float, height: float) -> Iterable[str]:
    length = 10 ** math.floor(math.log10(die.width / 2))
    length *= 5 if length * 5 < die.width / 2 else 2 if length * 2 < die.width / 2 else 1
    pixels = length * scale
    y = height + 20
    yield (
        f"<path d='M0 {y - 4} v8 M0 {y} h{pixels:.1f} M{pixels:.1f} {y - 4} v8' "
        "stroke='#1c2126' fill='none'/>"
    )
    text = f"{length:g} mm" if length >= 0.1 else f"{length * 1000:g} µm"
    at = f"x='{pixels + 8:.1f}' y='{y + 4}'"
    yield f"<text {_TEXT} font-size='12' fill='#1c2126' {at}>{text}</text>"
