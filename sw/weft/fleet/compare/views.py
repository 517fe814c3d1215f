"""The same comparison four ways.

* as shipped: as many chips of each as the scenario says;
* iso-power: as many rivals as the built fleet's site power feeds;
* iso-cost: as many rivals as the built fleet's yearly cost pays for;
* node-normalised: as shipped, with the rival's arithmetic and SRAM energy moved to the process of
  the built chip, so that the architecture is compared and not the fab.

Work of a rival is counted per chip: a fleet of another size runs more or fewer of the same jobs and
replicas. Ratios are rival over built; each is a band over joint draws, so shared uncertainty
cancels.
"""

from dataclasses import dataclass, replace

import numpy as np

from weft.fleet.bands import Band, median
from weft.fleet.constants import Constants
from weft.fleet.quantity import Num
from weft.fleet.scenarios.scenario import Scenario
from weft.fleet.scenarios.side import Side

__all__ = ["PROCESS_OF_GPU", "VIEWS", "View", "process_of", "views"]

VIEWS = ("as shipped", "iso-power", "iso-cost", "node-normalised")

PROCESS_OF_GPU = {"a100_sxm": "n7", "mi355x": "n3e"}
"""Class of process of a GPU's compute dies (default `n5`: 4N, 4NP and N5 are one class)."""


@dataclass(frozen=True, slots=True)
class View:
    """One row of the comparison for one workload; ratios are rival over built."""

    view: str
    work: str
    built_chips: float
    rival_chips: Band
    tokens_per_s: Band
    site_w: Band
    usd_per_year: Band
    tokens_per_joule: Band
    usd_per_million_tokens: Band
    carbon_per_token: Band
    note: str = ""

    @property
    def verdict(self) -> str:
        """What the bands allow to say about energy and money per token."""
        return (
            f"{_verdict(self.tokens_per_joule, 'joule')}; {_cheaper(self.usd_per_million_tokens)}"
        )


def _verdict(ratio: Band, unit: str) -> str:
    if ratio.p5 > 1.0:
        return f"rival ahead per {unit}"
    if ratio.p95 < 1.0:
        return f"rival behind per {unit}"
    return f"undecided per {unit}"


def _cheaper(ratio: Band) -> str:
    if ratio.p95 < 1.0:
        return "rival cheaper per token"
    if ratio.p5 > 1.0:
        return "rival dearer per token"
    return "undecided per dollar"


def process_of(name: str) -> str:
    """Process class of a GPU."""
    return PROCESS_OF_GPU.get(name, "n5")


def _row(view: str, kind: str, built: Side, rival: Side, scale: Num, note: str = "") -> View:
    """Ratios with the rival's fleet made `scale` times as large."""
    ours, theirs = rival.answers[kind], built.answers[kind]
    carbon = ours.bill.carbon_kg_per_year / ours.work.tokens_per_s
    other = theirs.bill.carbon_kg_per_year / theirs.work.tokens_per_s
    tokens = scale * ours.work.tokens_per_s / theirs.work.tokens_per_s
    fixed = _fixed(rival, kind)
    money = (scale * (ours.bill.usd_per_year - fixed) + fixed) / theirs.bill.usd_per_year
    useful = ours.bill.cost.load_factor / theirs.bill.cost.load_factor
    return View(
        view=view,
        work=kind,
        built_chips=float(theirs.work.chips),
        rival_chips=Band.of(scale * ours.work.chips),
        tokens_per_s=Band.of(tokens),
        site_w=Band.of(scale * ours.site.site_w / theirs.site.site_w),
        usd_per_year=Band.of(money),
        tokens_per_joule=Band.of(ours.tokens_per_joule / theirs.tokens_per_joule),
        usd_per_million_tokens=Band.of(money / (tokens * useful)),
        carbon_per_token=Band.of(carbon / other),
        note=note,
    )


def _fixed(side: Side, kind: str) -> Num:
    """Yearly cost that does not grow with the fleet: one-off design, unless given a volume."""
    if side.machine.kind != "weft" or side.spec.volume is not None:
        return 0.0
    return side.answers[kind].bill.one_off_usd_per_year


def views(scenario: Scenario, constants: Constants, built: Side, rival: Side) -> tuple[View, ...]:
    """All four views of every workload that both sides run.

    There is no iso-cost row where the built fleet costs less than the rival's one-off design alone.
    `constants` are those (sampled or not) that `built` and `rival` were priced with.
    """
    rows = []
    process = process_of(built.spec.name)
    moved = rival
    if rival.machine.kind == "weft" and rival.spec.process != process:
        moved = scenario.rival(constants, replace(rival.spec, process=process))
    for kind in built.answers:
        if kind not in rival.answers:
            continue
        ours, theirs = rival.answers[kind], built.answers[kind]
        power = theirs.site.site_w / ours.site.site_w
        one = np.ones_like(np.asarray(power, float))
        same = "same process class already" if moved is rival else f"rival energy at {process}"
        rows += [
            _row(VIEWS[0], kind, built, rival, one),
            _row(VIEWS[1], kind, built, rival, power, "equal power at the site's meter"),
        ]
        fixed = _fixed(rival, kind)
        left = theirs.bill.usd_per_year - fixed
        if median(left) > 0:
            cost = np.maximum(left, 0.0) / (ours.bill.usd_per_year - fixed)
            cost = np.maximum(cost, 1.0 / ours.work.chips)
            note = "equal cost per year, one-off cost included"
            rows.append(_row(VIEWS[2], kind, built, rival, cost, note))
        rows.append(_row(VIEWS[3], kind, built, moved, one, same))
    return tuple(rows)
