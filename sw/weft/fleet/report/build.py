"""The page: headline, bands, waterfall, breakdowns, four views, tornado, losses, facts, Pareto,
provenance.
"""

import html
from collections.abc import Sequence
from pathlib import Path

from weft.fleet.bands import Band
from weft.fleet.report import svg
from weft.fleet.report.comparison import comparison_parts
from weft.fleet.report.evidence import facts_part, key, pareto_part, provenance_part
from weft.fleet.report.style import script, style
from weft.fleet.scenarios.result import HEADLINES, AnswerBands, ScenarioResult
from weft.fleet.scenarios.text import amount, band_text
from weft.report.page import page, section, table, tiles

__all__ = ["build_report", "write_report"]

WORDS = {
    "tflops_per_chip": ("TFLOP/s per chip", ""),
    "mfu": ("share of peak (MFU)", ""),
    "step_s": ("step or iteration", "s"),
    "tokens_per_s": ("tokens per second", ""),
    "tokens_per_joule": ("tokens per joule", ""),
    "usd_per_million_tokens": ("USD per million tokens", ""),
}


def _headline(result: ScenarioResult) -> str:
    built, main = result.built, result.main
    cells = [
        (amount(built.site_w.p50, "W"), f"in use by {built.count:,} {built.chip}"),
        (amount(built.capex_usd.p50, "USD"), "to build"),
        (amount(main.tokens_per_s.p50), f"tokens per second, {main.kind}"),
    ]
    words = ""
    if result.comparison:
        rows = {(v.view, v.work): v for v in result.comparison.views}
        view = rows.get(("iso-power", main.kind))
        if view is not None:
            words = (
                f"At equal power, {result.comparison.rival} delivers {view.tokens_per_s.p50:.2f} "
                f"times [{view.tokens_per_s.p5:.2f} .. {view.tokens_per_s.p95:.2f}] the tokens of "
                f"{result.comparison.built} in {main.kind} at "
                f"{view.usd_per_million_tokens.p50:.2f} times the cost per token: {view.verdict}."
            )
            cells.append(
                (f"{view.tokens_per_joule.p50:.2f}x", "tokens per joule, rival over built")
            )
            cells.append(
                (f"{view.usd_per_million_tokens.p50:.2f}x", "cost per token, rival over built")
            )
    if result.facts:
        inside = sum(c.inside for c in result.facts)
        cells.append((f"{inside} of {len(result.facts)}", "public facts inside the band"))
    return f"<p>{html.escape(words)}</p>" + tiles(cells)


def _bands(mine: AnswerBands, other: AnswerBands | None, built: str, rival: str | None) -> str:
    rows: list[svg.Interval] = []
    pairs: list[tuple[str, str, Band, Band | None]] = [
        (*WORDS[n], getattr(mine, n), getattr(other, n) if other else None) for n in HEADLINES
    ]
    pairs += [
        (f"power, {n}", "W", mine.power_w[n], other.power_w[n] if other else None)
        for n in ("chip", "site")
    ]
    lines = []
    for name, unit, a, b in pairs:
        for role, band in (("built", a), ("rival", b)):
            if band is None:
                continue
            scale = a.p50 or 1.0
            tip = f"{name}: {band_text(band, unit)}"
            label = name if role == "built" else ""
            rows.append(
                svg.Interval(label, role, band.p5 / scale, band.p50 / scale, band.p95 / scale, tip)
            )
        lines.append((name, band_text(a, unit), band_text(b, unit) if b else ""))
    chart = svg.intervals(rows, "bands over the middle of the chip as built")
    head = ("P50 [P5 .. P95]", built, rival or "")
    return key(built, rival) + chart + table(head, lines)


def _breakdown(title: str, field: str, unit: str, pairs: Sequence[tuple[str, AnswerBands]]) -> str:
    bars = [(name, getattr(answer, field)) for name, answer in pairs]
    return f"<h3>{html.escape(title)}</h3>" + svg.stacked(
        bars, lambda value: amount(value, unit), title
    )


def _tflops(peak: float) -> svg.Text:
    """Shares of `peak` as text."""
    return lambda share: f"{share * peak:,.0f} TFLOP/s"


def _work(result: ScenarioResult, kind: str) -> str:
    mine = result.built.answers[kind]
    other = result.rival.answers.get(kind) if result.rival else None
    pairs = [(result.built.chip, mine)]
    if other and result.rival:
        pairs.append((result.rival.chip, other))
    falls = []
    for role, (name, answer) in zip(("built", "rival"), pairs, strict=False):
        peak = answer.tflops_per_chip.p50 / (answer.mfu.p50 or 1.0)
        falls.append(
            f"<h3>{html.escape(name)}, {answer.precision}</h3>"
            + svg.waterfall(
                list(answer.waterfall.items()),
                role,
                _tflops(peak),
                f"from peak to delivered work, {name}",
            )
        )
    details = [
        (
            n,
            *(
                band_text(v) if isinstance(v, Band) else str(v)
                for v in (a, (other.details.get(n, "") if other else ""))
            ),
        )
        for n, a in mine.details.items()
    ]
    rival = result.rival.chip if result.rival and other else None
    parts = [
        section(
            f"Bands: {kind}",
            _bands(mine, other, result.built.chip, rival),
            note="Each quantity over its middle for the chip as built.",
        ),
        section("From peak to delivered work", *falls, note="Per chip, middle of the draws."),
        section(
            "Power and cost",
            _breakdown("power at the meter", "power_parts_w", "W", pairs),
            _breakdown("capital", "capex_parts_usd", "USD", pairs),
            _breakdown("cost per year", "yearly_parts_usd", "USD", pairs),
            table(
                ("carbon, t CO2e", *(name for name, _ in pairs)),
                [
                    (n, *(f"{answer.carbon_kg[n] / 1e3:,.0f}" for _, answer in pairs))
                    for n in mine.carbon_kg
                ],
            ),
        ),
        section("Details", table(("", result.built.chip, rival or ""), details)),
    ]
    return f'<div data-work="{kind}">{"".join(parts)}</div>'


def build_report(result: ScenarioResult, sweep: Path | None = None) -> str:
    """The page as HTML; nothing in it refers to anywhere else than sources cited in text."""
    works = list(result.built.answers)
    buttons = "".join(f'<button data-show="{w}" aria-pressed="false">{w}</button>' for w in works)
    notes = result.rival.notes if result.rival else ()
    soft = f'<p class="soft">The rival: {html.escape("; ".join(notes))}.</p>' if notes else ""
    parts = [style(), _headline(result), soft]
    if result.comparison:
        parts += comparison_parts(result.comparison)
    parts.append(f'<div class="tabs">{buttons}</div>')
    parts += [_work(result, kind) for kind in works]
    if result.facts:
        parts.append(facts_part(result))
    if sweep is not None:
        parts.append(pareto_part(sweep))
    parts += [provenance_part(result.provenance), script()]
    subtitle = (
        f"{result.about} {result.label.capitalize()}; {result.draws:,} draws, "
        f"model {result.model}. {result.refused}"
    )
    return page(result.title, subtitle, *parts)


def write_report(result: ScenarioResult, path: Path, *, sweep: Path | None = None) -> None:
    """Write the page to `path`."""
    path.write_text(build_report(result, sweep), encoding="utf-8")
