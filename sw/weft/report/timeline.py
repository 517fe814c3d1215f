"""Timelines of the engines: a picture (SVG) and Perfetto's trace format, from engine events."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Engine

__all__ = ["Span", "perfetto_json", "spans_of", "timeline_svg"]

#: Fill of each engine's bars; text names the row too, so colour is never alone.
COLOURS = {"load": "#4c78a8", "matmul": "#d1495b", "vector": "#e0a02e", "store": "#5a9367"}


@dataclass(frozen=True, slots=True)
class Span:
    """One command on one engine, ``[start, end)`` in cycles. In-order engines overlap commands at
    their edges; a span begins when the command before it has ended."""

    tile: int
    engine: str
    index: int
    start: int
    end: int


def spans_of(trace: np.ndarray) -> list[Span]:
    """Commands that have ended, from engine events, (n,) ``TRACE_DTYPE`` sorted by cycle."""
    started: dict[tuple[int, int, int], int] = {}
    free: dict[tuple[int, int], int] = {}
    spans = []
    for cycle, tile, engine, kind, index in trace.tolist():
        if kind == 0:
            started[tile, engine, index] = cycle
        elif (tile, engine, index) in started:
            begin = max(started.pop((tile, engine, index)), free.get((tile, engine), 0))
            free[tile, engine] = cycle
            spans.append(Span(tile, Engine(engine).name.lower(), index, begin, cycle))
    return spans


def _merge(spans: list[Span], gap: float) -> list[tuple[int, int, int]]:
    """(start, end, commands) of runs of spans closer than ``gap`` cycles, so that a long trace
    stays a small picture."""
    runs: list[tuple[int, int, int]] = []
    for span in sorted(spans, key=lambda span: span.start):
        if runs and span.start - runs[-1][1] < gap:
            start, end, count = runs[-1]
            runs[-1] = (start, max(end, span.end), count + 1)
        else:
            runs.append((span.start, span.end, 1))
    return runs


def _stacked(
    windows: Sequence[tuple[str, int, int]],
) -> list[list[tuple[str, int, int]]]:
    """The windows in rows in which none overlaps another."""
    levels: list[list[tuple[str, int, int]]] = []
    for window in sorted(windows, key=lambda one: one[1]):
        free = next((level for level in levels if level[-1][2] <= window[1]), None)
        if free is None:
            levels.append([window])
        else:
            free.append(window)
    return levels


def timeline_svg(
    config: ChipConfig,
    spans: list[Span],
    marks: dict[str, int] | None = None,
    windows: Sequence[tuple[str, int, int]] = (),
) -> str:
    """An SVG picture: a row for each engine of each tile, time to the right. ``marks``: labelled
    cycles. ``windows``: named ranges of cycles, in rows of their own above the engines.
    """
    width, left, row, gap = 980, 120, 14, 8
    first = min((span.start for span in spans), default=0)
    last = max((span.end for span in spans), default=1)
    scale = (width - left - 10) / max(1, last - first)
    lines = []
    y = 26
    for level in _stacked(windows):
        for name, start, end in level:
            x, wide = left + (start - first) * scale, max(0.4, (end - start) * scale)
            # about five units a letter, where there is room
            label = html.escape(name) if 5 * len(name) < wide else ""
            lines.append(
                f'<rect x="{x:.2f}" y="{y}" width="{wide:.2f}" height="{row - 2}" class="lane" '
                f'stroke="currentColor" stroke-width="0.4"><title>{html.escape(name)}: cycles '
                f"{start - first:,} to {end - first:,}</title></rect>"
                f'<text x="{x + 3:.1f}" y="{y + 9}" pointer-events="none">{label}</text>'
            )
        y += row
    for tile in range(config.mesh.tiles):
        ty, tx = divmod(tile, config.mesh.cols)
        for engine in Engine:
            name = engine.name.lower()
            mine = [span for span in spans if span.tile == tile and span.engine == name]
            busy = sum(span.end - span.start for span in mine)
            share = busy / max(1, last - first)
            lines.append(
                f'<text x="{left - 6}" y="{y + 10}" text-anchor="end">'
                f"{f'({tx},{ty}) ' if engine is Engine.LOAD else ''}{name}</text>"
                f'<rect x="{left}" y="{y}" width="{width - left - 10}" height="{row - 3}" '
                'class="lane"/>'
            )
            for start, end, count in _merge(mine, 1.0 / scale):
                lines.append(
                    f'<rect x="{left + (start - first) * scale:.2f}" y="{y}" '
                    f'width="{max(0.4, (end - start) * scale):.2f}" height="{row - 3}" '
                    f'fill="{COLOURS[name]}">'
                    f"<title>{name} of tile ({tx},{ty}): cycles {start:,} to {end:,}, "
                    f"{count} command(s); busy {share:.0%} overall</title></rect>"
                )
            y += row
        y += gap
    for label, cycle in (marks or {}).items():
        x = left + (cycle - first) * scale
        lines.append(
            f'<line x1="{x:.1f}" y1="18" x2="{x:.1f}" y2="{y - gap}" class="mark"/>'
            f'<text x="{x + 3:.1f}" y="16">{html.escape(label)}</text>'
        )
    ticks = np.linspace(first, last, 6)
    for tick in ticks:
        x = left + (tick - first) * scale
        anchor = "end" if tick == ticks[-1] else "middle"
        lines.append(
            f'<text x="{x:.1f}" y="{y + 8}" text-anchor="{anchor}">{int(tick - first):,}</text>'
        )
    lines.append(f'<text x="{left - 6}" y="{y + 8}" text-anchor="end">cycle</text>')
    return (
        f'<svg viewBox="0 0 {width} {y + 14}" role="img" aria-label="Timeline of the engines" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(lines)}</svg>'
    )


def perfetto_json(config: ChipConfig, spans: list[Span]) -> str:
    """The spans in Chrome's trace event format, which ui.perfetto.dev opens; one cycle is shown as
    one microsecond."""
    events: list[dict[str, object]] = []
    for tile in range(config.mesh.tiles):
        y, x = divmod(tile, config.mesh.cols)
        events.append(
            {"ph": "M", "name": "process_name", "pid": tile, "args": {"name": f"tile ({x},{y})"}}
        )
        events += [
            {
                "ph": "M",
                "name": "thread_name",
                "pid": tile,
                "tid": engine.value,
                "args": {"name": engine.name.lower()},
            }
            for engine in Engine
        ]
    numbers = {engine.name.lower(): engine.value for engine in Engine}
    events += [
        {
            "ph": "X",
            "name": f"{span.engine} {span.index}",
            "pid": span.tile,
            "tid": numbers[span.engine],
            "ts": span.start,
            "dur": span.end - span.start,
            "args": {"command": span.index},
        }
        for span in spans
    ]
    return json.dumps({"traceEvents": events, "otherData": {"unit": "1 us = 1 cycle"}})
