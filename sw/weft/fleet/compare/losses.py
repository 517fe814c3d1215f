"""Where the rival loses: stated as plainly as where it wins."""

from dataclasses import dataclass, replace

from weft.fleet.bands import Band, median
from weft.fleet.compare.views import View
from weft.fleet.constants import Constants
from weft.fleet.errors import FleetError
from weft.fleet.money import supply_limit
from weft.fleet.quantity import Num
from weft.fleet.scenarios.chips import design
from weft.fleet.scenarios.scenario import Scenario
from weft.fleet.scenarios.side import Side
from weft.fleet.weft_chip import FORMAT_OF

__all__ = ["Loss", "losses"]


SUPPLY_WEEKS = 104
"""Two years from order to the last chip: what the news gives these sites."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A point against the rival."""

    subject: str
    finding: str
    certainty: str
    """`certain` (the whole band, or a fact), `likely` (the middle) or `possible` (part of it)."""


def _graded(subject: str, ratio: Band, what: str, low_is_good: bool) -> Loss | None:
    """A loss from a ratio rival over built, or None where the rival wins for certain."""
    worst, middle, best = (
        (ratio.p95, ratio.p50, ratio.p5) if low_is_good else (ratio.p5, ratio.p50, ratio.p95)
    )

    def lost(value: float) -> bool:
        return value > 1.0 if low_is_good else value < 1.0

    if not lost(worst):
        return None
    grade = "certain" if lost(best) else "likely" if lost(middle) else "possible"
    return Loss(
        subject, f"{what}: {ratio.p50:.2f} times [{ratio.p5:.2f} .. {ratio.p95:.2f}]", grade
    )


_RATIOS = (
    ("tokens_per_s", "throughput of the fleet", False),
    ("tokens_per_joule", "tokens per joule", False),
    ("usd_per_million_tokens", "cost per token", True),
    ("carbon_per_token", "carbon per token", True),
)
_IN_VIEW = {
    "as shipped": (
        "tokens_per_s",
        "tokens_per_joule",
        "usd_per_million_tokens",
        "carbon_per_token",
    ),
    "iso-power": ("tokens_per_s",),
    "iso-cost": ("tokens_per_s",),
    "node-normalised": ("tokens_per_joule",),
}


def _from_views(rows: tuple[View, ...]) -> list[Loss]:
    found = []
    for row in rows:
        for name, what, low_is_good in _RATIOS:
            if name not in _IN_VIEW[row.view]:
                continue
            loss = _graded(f"{row.work}, {row.view}", getattr(row, name), what, low_is_good)
            if loss:
                found.append(loss)
    for kind in sorted({row.work for row in rows}):
        if not any(row.work == kind and row.view == "iso-cost" for row in rows):
            words = "the one-off design alone costs more than the whole fleet as built"
            found.append(Loss(f"{kind}, iso-cost", words, "certain"))
    return found


def _chip_facts(built: Side, rival: Side) -> list[Loss]:
    """Plain properties of one chip on which the rival is behind."""
    ours, theirs = rival.machine, built.machine
    pairs: list[tuple[str, Num, Num, str, float]] = [
        ("memory of a chip", ours.memory_bytes, theirs.memory_bytes, "GB", 1e9),
        (
            "memory bandwidth of a chip",
            ours.memory_bandwidth_bytes_per_s,
            theirs.memory_bandwidth_bytes_per_s,
            "TB/s",
            1e12,
        ),
        (
            "scale-up bandwidth of a chip",
            ours.scaleup.bandwidth_bytes_per_s,
            theirs.scaleup.bandwidth_bytes_per_s,
            "GB/s",
            1e9,
        ),
        (
            "scale-out bandwidth of a chip",
            ours.scaleout.bandwidth_bytes_per_s,
            theirs.scaleout.bandwidth_bytes_per_s,
            "GB/s",
            1e9,
        ),
        ("chips in a scale-up domain", ours.scaleup.chips, theirs.scaleup.chips, "", 1.0),
    ]
    for precision in ("bf16", "fp8"):
        if precision in ours.peak_flops and precision in theirs.peak_flops:
            pair = ours.peak(precision), theirs.peak(precision)
            pairs.append((f"{precision} peak of a chip", *pair, "TFLOP/s", 1e12))
    found = []
    for what, mine, other, unit, scale in pairs:
        a, b = median(mine) / scale, median(other) / scale
        if a < b:
            found.append(
                Loss("one chip", f"{what}: {a:,.4g} against {b:,.4g} {unit}".rstrip(), "certain")
            )
    missing = sorted(set(theirs.peak_flops) - set(ours.peak_flops))
    if missing:
        found.append(
            Loss("one chip", f"formats it has no arithmetic for: {', '.join(missing)}", "certain")
        )
    return found


def _as_built(scenario: Scenario, constants: Constants, rival: Side) -> list[Loss]:
    """What the configuration does in RTL today, without the formats it is only priced with."""
    if rival.machine.kind != "weft":
        return []
    have = tuple(dict.fromkeys(FORMAT_OF[name] for name in design(rival.spec).tile.formats))
    wanted = {a.work.precision for a in rival.answers.values()}
    absent = sorted(wanted - set(have))
    if not absent:
        return []
    found = [
        Loss(
            "hardware of today",
            f"{rival.spec.preset} is built with {', '.join(have)}; {', '.join(absent)} is priced, "
            "and is in the RTL of other configurations",
            "certain",
        )
    ]
    training = rival.answers.get("training")
    if training is not None and training.work.precision in absent:
        found.append(
            Loss(
                "hardware of today",
                f"{rival.spec.preset} as it is built cannot train any of these models",
                "certain",
            )
        )
    if "serving" in rival.answers and scenario.spec.rival_serving is not None:
        spec = replace(scenario.spec.rival_serving, precision="int8", kv_precision=None)
        other = replace(scenario.spec, rival_training=None, rival_serving=spec)
        chip = replace(rival.spec, formats=None, count=rival.answers["serving"].work.chips)
        try:
            int8 = Scenario(other).rival(constants, chip)
        except FleetError as error:
            return [*found, Loss("hardware of today", f"int8 serving refused: {error}", "certain")]
        ratio = Band.of(
            int8.answers["serving"].tokens_per_joule / rival.answers["serving"].tokens_per_joule
        )
        loss = _graded(
            "hardware of today",
            ratio,
            "int8 serving over the priced format, tokens per joule",
            False,
        )
        found += [loss] if loss else []
    return found


def _supply(constants: Constants, rival: Side) -> list[Loss]:
    """Whether so many chips can be had at all."""
    if rival.machine.kind != "weft":
        return []
    die = rival.main.bill.cost.chip.die_mm2
    limit = supply_limit(rival.machine, SUPPLY_WEEKS, constants, die_mm2=die)
    band = Band.of(limit.chips)
    if band.p5 >= rival.spec.count:
        return []
    grade = "certain" if band.p95 < rival.spec.count else "likely"
    if band.p50 >= rival.spec.count:
        grade = "possible"
    return [
        Loss(
            "supply",
            f"{limit.binding.replace('_', ' ')} allows {band.p50:,.0f} "
            f"[{band.p5:,.0f} .. {band.p95:,.0f}] chips in {SUPPLY_WEEKS} weeks at a newcomer's "
            f"share of the market, {rival.spec.count:,} are wanted",
            grade,
        )
    ]


def losses(
    scenario: Scenario, constants: Constants, built: Side, rival: Side, rows: tuple[View, ...]
) -> tuple[Loss, ...]:
    """Everything that speaks against the rival, the certain first."""
    found = [
        *_as_built(scenario, constants, rival),
        *_from_views(rows),
        *_chip_facts(built, rival),
        *_supply(constants, rival),
        Loss(
            "evidence",
            "the GPU ships and is measured; the rival is a model of hardware nobody has made: "
            "software, yield, first-silicon bugs and schedule are not in these bands",
            "certain",
        ),
        Loss(
            "other work",
            "workloads that are not large matrix products (sparse, irregular, fp64, graphics, new "
            "operators) are not modelled and favour the GPU",
            "certain",
        ),
    ]
    rank = {"certain": 0, "likely": 1, "possible": 2}
    return tuple(sorted(found, key=lambda loss: rank[loss.certainty]))
