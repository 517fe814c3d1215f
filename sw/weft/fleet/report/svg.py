"""Small charts as inline SVG: text, lines, rectangles; a `title` on every mark is its tooltip.

Labels sit left of a plot in their own column; widths are in SVG units of a 1,000 wide drawing.
"""

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Interval", "intervals", "scatter", "stacked", "tornado", "waterfall"]

WIDTH, LABEL, ROW = 1000, 300, 24
Text = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Interval:
    """A band drawn as a bar with a mark: P5, P50, P95."""

    label: str
    role: str
    """`built`, `rival` or `fact`: its colour."""
    low: float
    middle: float
    high: float
    tip: str
    point: float | None = None
    """A published value to mark."""


def _text(x: float, y: float, words: str, *, anchor: str = "start", extra: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{html.escape(words)}</text>'
    )


def _tip(tip: str) -> str:
    return f"<title>{html.escape(tip)}</title>"


def _open(height: float, label: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{html.escape(label)}">'


def intervals(rows: Sequence[Interval], label: str, *, unit: str = "x", one: bool = True) -> str:
    """Bands on a common logarithmic axis; a dashed line at 1."""
    values = [v for r in rows for v in (r.low, r.high, r.point) if v and v > 0 and math.isfinite(v)]
    low, high = min([*values, 0.8]), max([*values, 1.25])
    span = math.log(high / low) or 1.0
    left, right = LABEL + 10, WIDTH - 90

    def x(value: float) -> float:
        value = min(max(value, low), high)
        return left + (right - left) * math.log(value / low) / span

    height = ROW * len(rows) + 30
    parts = [_open(height, label)]
    ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)]
    for tick in ticks:
        if low * 0.999 <= tick <= high * 1.001:
            at = x(tick)
            kind = "mark" if tick == 1 and one else "grid"
            parts.append(
                f'<line class="{kind}" x1="{at:.1f}" x2="{at:.1f}" y1="4" y2="{height - 22}"/>'
            )
            parts.append(_text(at, height - 6, f"{tick:g}{unit}", anchor="middle"))
    for i, r in enumerate(rows):
        y = 4 + ROW * i
        parts.append(_text(LABEL, y + 15, r.label, anchor="end", extra=' class="name"'))
        a, b, m = x(r.low), x(r.high), x(r.middle)
        parts.append(f'<g class="tip">{_tip(r.tip)}')
        parts.append(
            f'<rect class="{r.role} band" x="{a:.1f}" y="{y + 5}" width="{max(b - a, 2):.1f}" '
            f'height="{ROW - 10}" rx="2"/>'
        )
        parts.append(
            f'<rect class="{r.role}" x="{m - 1.5:.1f}" y="{y + 3}" width="3" height="{ROW - 6}"/>'
        )
        if r.point is not None:
            p = x(r.point)
            parts.append(f'<path class="fact" d="M{p:.1f} {y + 4} l5 8 l-5 8 l-5 -8 z"/>')
        parts.append("</g>")
        parts.append(_text(WIDTH - 80, y + 15, f"{r.middle:.2f}", extra=' class="value"'))
    return "".join(parts) + "</svg>"


def waterfall(losses: Sequence[tuple[str, float]], role: str, text: Text, label: str) -> str:
    """From peak (1) down to delivered work: every loss starts where the last one ended."""
    rows = [("dense peak", 1.0), *[(n, v) for n, v in losses if n != "delivered" and v > 5e-4]]
    done = dict(losses).get("delivered", 0.0)
    height = ROW * (len(rows) + 1) + 8
    left, right = LABEL + 10, WIDTH - 130
    parts, at = [_open(height, label)], 1.0
    for i, (name, value) in enumerate([*rows, ("delivered", done)]):
        y = 4 + ROW * i
        whole = name in ("dense peak", "delivered")
        start = 0.0 if whole else at - value
        at = at if whole else start
        x, width = left + (right - left) * max(start, 0.0), (right - left) * value
        kind = role if whole else f"{role} loss"
        sign = "" if whole else "-"
        parts += [
            _text(LABEL, y + 15, name, anchor="end", extra=' class="name"'),
            f'<g class="tip">{_tip(f"{name}: {sign}{value:.1%} of peak, {text(value)}")}'
            f'<rect class="{kind}" x="{x:.1f}" y="{y + 3}" width="{max(width, 1.5):.1f}" '
            f'height="{ROW - 6}" rx="2"/></g>',
            _text(WIDTH - 120, y + 15, f"{sign}{text(value)}", extra=' class="value"'),
        ]
    return "".join(parts) + "</svg>"


def stacked(bars: Sequence[tuple[str, dict[str, float]]], text: Text, label: str) -> str:
    """One bar per row, its parts side by side in the order of the first row, on one scale."""
    names = [n for n, _ in sorted(bars[0][1].items(), key=lambda item: -item[1])]
    names += [n for _, parts in bars[1:] for n in parts if n not in names]
    most = max(sum(parts.values()) for _, parts in bars) or 1.0
    left, right = LABEL + 10, WIDTH - 130
    height = 34 * len(bars) + 24 * math.ceil(len(names) / 5) + 8
    out = [_open(height, label)]
    for i, (title, parts) in enumerate(bars):
        y, x = 4 + 34 * i, float(left)
        out.append(_text(LABEL, y + 18, title, anchor="end", extra=' class="name"'))
        whole = sum(parts.values())
        for j, name in enumerate(names):
            value = parts.get(name, 0.0)
            width = (right - left) * value / most
            out.append(
                f'<g class="tip">{_tip(f"{title}: {name} {text(value)}, {value / whole:.0%}")}'
                f'<rect class="s{j % 10}" x="{x:.1f}" y="{y}" width="{max(width, 0):.1f}" '
                'height="26"/></g>'
            )
            x += width
        out.append(_text(WIDTH - 120, y + 18, text(whole), extra=' class="value"'))
    for j, name in enumerate(names):
        x, y = 10 + 196 * (j % 5), 34 * len(bars) + 12 + 24 * (j // 5)
        out.append(f'<rect class="s{j % 10}" x="{x}" y="{y}" width="12" height="12"/>')
        out.append(_text(x + 18, y + 11, name))
    return "".join(out) + "</svg>"


def tornado(rows: Sequence[tuple[str, float, float, str]], base: float, label: str) -> str:
    """Swings around a base: (name, result at low, result at high, tooltip)."""
    values = [v for _, a, b, _ in rows for v in (a, b)] + [base]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    left, right = LABEL + 130, WIDTH - 60

    def x(value: float) -> float:
        return left + (right - left) * (value - low) / span

    height = ROW * len(rows) + 26
    out = [_open(height, label)]
    for i, (name, a, b, tip) in enumerate(rows):
        y = 4 + ROW * i
        out.append(_text(LABEL + 70, y + 15, name, anchor="end", extra=' class="name"'))
        out.append(f'<g class="tip">{_tip(tip)}')
        for value, kind in ((a, "low"), (b, "high")):
            start, width = min(x(value), x(base)), abs(x(value) - x(base))
            out.append(
                f'<rect class="{kind}" x="{start:.1f}" y="{y + 3}" width="{max(width, 1):.1f}" '
                f'height="{ROW - 6}"/>'
            )
        out.append("</g>")
        out.append(_text(min(x(a), x(b)) - 4, y + 15, f"{min(a, b):.2f}", anchor="end"))
        out.append(_text(max(x(a), x(b)) + 4, y + 15, f"{max(a, b):.2f}"))
    out.append(
        f'<line class="mark" x1="{x(base):.1f}" x2="{x(base):.1f}" y1="2" y2="{height - 20}"/>'
    )
    out.append(_text(x(base), height - 6, f"all central: {base:.2f}", anchor="middle"))
    return "".join(out) + "</svg>"


def scatter(
    points: Sequence[tuple[float, float, bool, str]], x_name: str, y_name: str, label: str
) -> str:
    """Points (x, y, on the front, tooltip) on logarithmic axes; the front is joined."""
    left, right, top, bottom = 70, WIDTH - 20, 12, 380
    xs, ys = [math.log(p[0]) for p in points], [math.log(p[1]) for p in points]

    def place(value: float, all_values: list[float], start: float, end: float) -> float:
        span = (max(all_values) - min(all_values)) or 1.0
        return start + (end - start) * (value - min(all_values)) / span

    out = [_open(bottom + 44, label)]
    out.append(
        f'<rect class="lane" x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"/>'
    )
    at = [
        (place(x, xs, left + 12, right - 12), place(y, ys, bottom - 12, top + 12))
        for x, y in zip(xs, ys, strict=True)
    ]
    front: list[tuple[float, float]] = []
    for x, y in sorted((a for a, p in zip(at, points, strict=True) if p[2]), reverse=True):
        # what no other beats on these two counts; the others are on the front for a third
        if not front or y < front[-1][1]:
            front.append((x, y))
    if len(front) > 1:
        path = " L".join(f"{x:.1f} {y:.1f}" for x, y in front)
        out.append(f'<path class="front" d="M{path}"/>')
    for (x, y), p in sorted(zip(at, points, strict=True), key=lambda pair: pair[1][2]):
        kind = "rival" if p[2] else "rest"
        out.append(
            f'<g class="tip">{_tip(p[3])}<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" '
            f'r="{5 if p[2] else 3.5}"/></g>'
        )
    out.append(_text((left + right) / 2, bottom + 34, f"{x_name} (log)", anchor="middle"))
    out.append(_text(left, bottom + 16, f"{math.exp(min(xs)):.3g}"))
    out.append(_text(right, bottom + 16, f"{math.exp(max(xs)):.3g}", anchor="end"))
    out.append(_text(left - 6, bottom - 4, f"{math.exp(min(ys)):.3g}", anchor="end"))
    out.append(_text(left - 6, top + 12, f"{math.exp(max(ys)):.3g}", anchor="end"))
    middle = (top + bottom) / 2
    turn = f' transform="rotate(-90 16 {middle})"'
    out.append(_text(16, middle, f"{y_name} (log)", anchor="middle", extra=turn))
    return "".join(out) + "</svg>"
