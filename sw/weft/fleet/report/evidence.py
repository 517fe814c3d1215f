"""Parts of the page that back the numbers: public facts, the sweep's front, provenance."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.fleet.errors import FleetError
from weft.fleet.report import svg
from weft.fleet.scenarios.result import ScenarioResult
from weft.fleet.scenarios.text import band_text
from weft.report.page import section, table

__all__ = ["facts_part", "key", "pareto_part", "provenance_part"]


def key(built: str, rival: str | None, fact: bool = False) -> str:
    """What the colours of a chart mean."""
    marks = f'<i class="built"></i>{html.escape(built)}'
    if rival:
        marks += f'<i class="rival"></i>{html.escape(rival)}'
    if fact:
        marks += '<i class="fact"></i>published'
    return f'<p class="key">{marks}; bar P5 to P95, mark P50</p>'


def facts_part(result: ScenarioResult) -> str:
    """Every public fact beside the model's band."""
    marks, body = [], []
    for check in result.facts:
        f, band = check.fact, check.modelled
        tip = f"{f.fact}: modelled {band_text(band)} {f.unit}; {f.source}, {f.date}"
        v = f.value
        name = f.fact if len(f.fact) < 41 else f.fact[:38] + "..."
        marks.append(
            svg.Interval(name, "built", band.p5 / v, band.p50 / v, band.p95 / v, tip, point=1.0)
        )
        body.append(
            (
                "inside" if check.inside else "OUTSIDE",
                f"“{f.fact}”",
                f"{v:,.4g}",
                f"{band.p50:,.4g} [{band.p5:,.4g} .. {band.p95:,.4g}] {f.unit}",
                f"{f.source}, {f.date}",
            )
        )
    head = ("", "fact", "published", "modelled", "source")
    return section(
        "Public facts",
        key("modelled over published", None, fact=True),
        svg.intervals(marks, "modelled over published"),
        table(head, body),
    )


def pareto_part(folder: Path) -> str:
    """Designs of a sweep; those on the front joined."""
    from weft.fleet.sweep import load_results, pareto_front

    frame = load_results(folder)
    frame = frame[frame["error"] == ""]
    if frame.empty:
        raise FleetError(f"{folder} holds no feasible design; run weft sweep first")
    front = set(pareto_front(frame).index)
    knobs = [c for c in frame.columns if c.startswith("knob.")]
    points = [
        (
            float(row["tokens_per_joule"]),
            1.0 / float(row["usd_per_million_tokens"]),
            index in front,
            ", ".join(f"{k.removeprefix('knob.')} {row[k]}" for k in knobs)
            + f": {row['tokens_per_joule']:.3g} tokens/J, "
            f"{row['usd_per_million_tokens']:.3g} USD/M",
        )
        for index, row in frame.iterrows()
    ]
    names = ("tokens per joule", "million tokens per USD")
    return section(
        "Pareto front of the sweep",
        svg.scatter(points, *names, "Pareto front"),
        note=f"{len(frame)} designs that work; {len(front)} that no other beats on every count.",
    )


NUMBERS = ("value", "low", "high")
FIELDS = ("key", *NUMBERS, "unit", "confidence", "source", "locator", "date")


def _line(record: dict[str, Any]) -> str:
    cells = []
    for name in FIELDS:
        kind = " class=number" if name in NUMBERS else " class=long" if name == "source" else ""
        cells.append(f"<td{kind}>{html.escape(_cell(record[name]))}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def provenance_part(records: Sequence[dict[str, Any]]) -> str:
    """The record of every constant, to filter and to sort."""
    head = "".join(f"<th>{name}</th>" for name in FIELDS)
    body = "".join(_line(record) for record in records)
    box = (
        '<input type="search" id="filter" placeholder="filter" aria-label="filter"> '
        '<span class="soft" id="count"></span>'
    )
    rows = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    note = "Every constant behind every number on this page; low and high are P5 and P95."
    return section(
        "Provenance", f'<div id="provenance">{box}<div class="scroll">{rows}</div></div>', note=note
    )


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
