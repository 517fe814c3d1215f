"""Parts of the page about the rival: four views, tornado, losses."""

import html
from collections.abc import Sequence

from weft.fleet.compare import Comparison, Swing, View
from weft.fleet.report import svg
from weft.fleet.scenarios.text import amount, band_text
from weft.report.page import section, table

__all__ = ["comparison_parts"]


def _views(rows: Sequence[View], built: str, rival: str) -> str:
    marks = []
    for v in rows:
        for name, band in (
            ("tokens/s", v.tokens_per_s),
            ("tokens/J", v.tokens_per_joule),
            ("USD/token", v.usd_per_million_tokens),
        ):
            label = f"{v.work}, {v.view}: {name}"
            tip = f"{label}: {band.p50:.2f} [{band.p5:.2f} .. {band.p95:.2f}]; {v.note}"
            marks.append(svg.Interval(label, "rival", band.p5, band.p50, band.p95, tip))
    body = [
        (
            v.view,
            v.work,
            amount(v.rival_chips.p50),
            f"{v.tokens_per_s.p50:.2f}",
            f"{v.tokens_per_joule.p50:.2f}",
            f"{v.usd_per_million_tokens.p50:.2f}",
            f"{v.carbon_per_token.p50:.2f}",
            v.verdict,
        )
        for v in rows
    ]
    head = ("view", "work", "rivals", "tokens/s", "tokens/J", "USD/token", "CO2e/token", "verdict")
    return svg.intervals(marks, f"{rival} over {built}") + table(head, body)


def _tornado(swings: Sequence[Swing], what: str) -> str:
    if not swings:
        return ""
    rows = [
        (
            s.key,
            s.low,
            s.high,
            f"{s.key}: {s.constant_low:g} gives {s.low:.3f}, "
            f"{s.constant_high:g} gives {s.high:.3f} ({s.unit}; {s.source})",
        )
        for s in swings
    ]
    return f"<h3>{html.escape(what)}</h3>" + svg.tornado(rows, swings[0].base, what)


def comparison_parts(c: Comparison) -> list[str]:
    """Sections, in reading order."""
    back = (
        "no volume pays it back"
        if c.breakeven_chips is None
        else (f"paid back at {band_text(c.breakeven_chips)} chips")
    )
    return [
        section(
            f"{c.rival} over {c.built}: four views",
            _views(c.views, c.built, c.rival),
            note=f"Ratios over joint draws. One-off cost of the design: {back}.",
        ),
        section(
            f"What the answer hangs on ({c.work})",
            _tornado(c.tornado_energy, "tokens per joule, rival over built"),
            _tornado(c.tornado_money, "USD per token, rival over built"),
            note="Each constant alone at its low (blue) and its high (orange).",
        ),
        section(
            f"Where {c.rival} loses",
            table(
                ("certainty", "subject", "finding"),
                [(x.certainty, x.subject, x.finding) for x in c.losses],
            ),
        ),
        _claims(c),
    ]


def _claims(c: Comparison) -> str:
    """Published ratios beside ours."""
    if not c.claims:
        return ""
    rows = [
        (
            x.claim.subject,
            x.claim.quantity,
            f"{x.claim.low:g} .. {x.claim.high:g}",
            f"{x.ours.p50:.2f} [{x.ours.p5:.2f} .. {x.ours.p95:.2f}], {x.work}",
            x.verdict,
            f"{x.claim.source}, {x.claim.date} ({x.claim.kind})",
        )
        for x in c.claims
    ]
    head = ("published", "ratio", "theirs", "ours", "", "source")
    note = "A check of plausibility: other chips, other work; vendors choose what they publish."
    return section("Other ASICs over GPUs", table(head, rows), note=note)
