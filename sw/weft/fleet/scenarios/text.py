"""A scenario's answer as text."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from weft.fleet.bands import Band
from weft.fleet.scenarios.facts import FactCheck
from weft.fleet.scenarios.result import AnswerBands, ScenarioResult, SideBands

if TYPE_CHECKING:
    from weft.fleet.compare import Comparison

__all__ = ["amount", "band_text", "render", "render_facts"]

_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def amount(value: float, unit: str = "") -> str:
    """Three digits and an SI prefix: `149 M`."""
    if value == 0 or value != value or abs(value) == float("inf"):
        return f"{value:g} {unit}".strip()
    if abs(value) < 1.0:
        return f"{value:.3g} {unit}".strip()
    scale, prefix = next((s, p) for s, p in _STEPS if abs(value) >= s * 0.9995)
    number = value / scale
    digits = 0 if abs(number) >= 99.95 else 1 if abs(number) >= 9.995 else 2
    return f"{number:.{digits}f} {prefix}{unit}".strip()


def band_text(band: Band, unit: str = "") -> str:
    """`P50 [P5 .. P95]`."""
    if band.p5 == band.p95:
        return amount(band.p50, unit)
    return f"{amount(band.p50, unit)} [{amount(band.p5)} .. {amount(band.p95)}]"


def _answer(answer: AnswerBands, other: AnswerBands | None) -> list[str]:
    def row(label: str, mine: str, theirs: str | None) -> str:
        return f"  {label:34} {mine:34} {theirs or ''}".rstrip()

    def bands(label: str, unit: str, name: str) -> str:
        right = band_text(getattr(other, name), unit) if other else None
        return row(label, band_text(getattr(answer, name), unit), right)

    lines = [
        bands("tokens per second, delivered", "", "tokens_per_s"),
        bands("TFLOP/s per chip (model work)", "", "tflops_per_chip"),
        bands("share of dense peak (MFU)", "", "mfu"),
        bands("step or iteration", "s", "step_s"),
    ]
    for name in ("chip", "node", "site"):
        right = band_text(other.power_w[name], "W") if other else None
        lines.append(row(f"power, {name}", band_text(answer.power_w[name], "W"), right))
    lines += [
        bands("tokens per joule, at the meter", "", "tokens_per_joule"),
        bands("USD per million tokens", "", "usd_per_million_tokens"),
    ]
    for name, value in answer.details.items():
        found = other.details.get(name, "") if other else ""
        texts = [band_text(v) if isinstance(v, Band) else str(v) for v in (value, found)]
        if name == "layout":
            lines.append(f"  {name:34} {texts[0]}")
            if found and found != value:
                lines.append(f"  {'layout of the rival':34} {texts[1]}")
            continue
        lines.append(row(name, texts[0], texts[1]))
    losses = sorted(answer.waterfall.items(), key=lambda item: -item[1])
    parts = ", ".join(f"{name} {share:.1%}" for name, share in losses if share >= 0.001)
    lines.append(f"  {'where the peak goes':34} {parts}")
    return lines


def _side(side: SideBands, role: str) -> list[str]:
    return [
        f"{role}: {side.count:,} {side.chip}",
        f"  power in use {band_text(side.site_w, 'W')}; "
        f"connected {band_text(side.connected_w, 'W')}",
        f"  capital {band_text(side.capex_usd, 'USD')}; "
        f"{band_text(side.usd_per_year, 'USD')} per year",
        *(f"  note: {note}" for note in side.notes),
    ]


def _parts(title: str, parts: dict[str, float], unit: str) -> str:
    whole = sum(parts.values()) or 1.0
    ordered = sorted(parts.items(), key=lambda item: -item[1])
    return f"  {title:34} " + ", ".join(
        f"{name} {amount(value, unit)} ({value / whole:.0%})"
        for name, value in ordered
        if value > 0.004 * whole
    )


def _comparison(c: "Comparison") -> Iterable[str]:
    yield f"{c.rival} over {c.built}, P50 [P5 .. P95]"
    yield (
        f"  {'view':16} {'work':9} {'chips':>8}  {'tokens/s':24} {'tokens/J':24} "
        f"{'USD/token':24} CO2e/token"
    )
    for v in c.views:
        cells = (v.tokens_per_s, v.tokens_per_joule, v.usd_per_million_tokens, v.carbon_per_token)
        text = " ".join(f"{f'{b.p50:.2f} [{b.p5:.2f} .. {b.p95:.2f}]':24}" for b in cells)
        yield f"  {v.view:16} {v.work:9} {amount(v.rival_chips.p50):>8}  {text}".rstrip()
    if c.breakeven_chips is None:
        yield "  one-off cost of the design: no volume pays it back on this work"
    else:
        yield f"  one-off cost of the design paid back at {band_text(c.breakeven_chips)} chips"
    for what, swings in (
        ("tokens per joule", c.tornado_energy),
        ("USD per token", c.tornado_money),
    ):
        yield ""
        yield f"what moves {what} (rival over built, {c.work}); constant at its low .. high"
        for s in swings[:8]:
            yield (
                f"  {s.key:52} {s.low:.2f} .. {s.high:.2f}   "
                f"({s.constant_low:g} .. {s.constant_high:g} {s.unit})"
            )
    yield ""
    yield f"where {c.rival} loses"
    for loss in c.losses:
        yield f"  [{loss.certainty}] {loss.subject}: {loss.finding}"
    if c.claims:
        yield ""
        yield "published ratios of other ASICs over GPUs (other chips, other work), and ours"
    for check in c.claims:
        claim, ours = check.claim, check.ours
        range_text = (
            f"{claim.low:g}" if claim.low == claim.high else f"{claim.low:g}-{claim.high:g}"
        )
        yield (
            f"  {claim.subject}, {claim.quantity}: {range_text} ({claim.work}; {claim.kind}); "
            f"ours, {check.work}: {ours.p50:.2f} [{ours.p5:.2f} .. {ours.p95:.2f}], {check.verdict}"
        )


def render_facts(checks: Iterable[FactCheck]) -> list[str]:
    """Public facts beside the model's bands."""
    rows = list(checks)
    inside = sum(c.inside for c in rows)
    lines = [f"public facts: {inside} of {len(rows)} inside the band (P5 .. P95)"]
    for c in rows:
        f = c.fact
        verdict = "inside " if c.inside else "OUTSIDE"
        wide = "" if c.narrow else ", band wider than 25 %"
        lines.append(
            f"  {verdict} {f.fact}: published {f.value:,.4g}, modelled "
            f"{c.modelled.p50:,.4g} [{c.modelled.p5:,.4g} .. {c.modelled.p95:,.4g}] {f.unit}{wide}"
        )
        note = f"; {f.note}" if f.note else ""
        lines.append(f"          {f.source}, {f.date}{note}")
    return lines


def render(result: ScenarioResult) -> str:
    """The whole answer."""
    lines = [result.title]
    if result.about:
        lines.append(result.about)
    lines += [
        f"{result.label}; P50 [P5 .. P95] over {result.draws:,} draws; model {result.model}",
        "",
        *_side(result.built, "as built"),
    ]
    if result.rival:
        lines += _side(result.rival, "with")
    if result.refused:
        lines.append(result.refused)
    for kind, answer in result.built.answers.items():
        other = result.rival.answers.get(kind) if result.rival else None
        names = f"{result.built.chip:34} {result.rival.chip if result.rival else ''}".rstrip()
        lines += ["", f"{kind + ', ' + answer.precision:36} {names}", *_answer(answer, other)]
        lines += [
            _parts("power by part", answer.power_parts_w, "W"),
            _parts("capital by part", answer.capex_parts_usd, "USD"),
            _parts("cost per year by part", answer.yearly_parts_usd, "USD"),
        ]
        tonnes = {k: v / 1e3 for k, v in answer.carbon_kg.items()}
        lines.append(
            f"  {'carbon, t CO2e':34} " + ", ".join(f"{k} {amount(v)}" for k, v in tonnes.items())
        )
    if result.comparison:
        lines += ["", *_comparison(result.comparison)]
    if result.facts:
        lines += ["", *render_facts(result.facts)]
    lines += ["", f"{len(result.provenance)} constants used; `weft fleet --audit` prints them all"]
    return "\n".join(lines)
