"""One side of a scenario: a chip, its workloads, its site, its bill."""

from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants
from weft.fleet.errors import InfeasibleError
from weft.fleet.machines import Machine
from weft.fleet.power import PowerBreakdown, SiteShape, node_power, power_swing, site_power
from weft.fleet.quantity import Num
from weft.fleet.scenarios.bill import Bill, bill
from weft.fleet.scenarios.chips import build
from weft.fleet.scenarios.ranking import ranking_work
from weft.fleet.scenarios.specs import ChipSpec, ScenarioSpec, ServingSpec, SiteSpec, TrainingSpec
from weft.fleet.scenarios.work import WorkResult, serving_work, training_work

__all__ = ["Answer", "Side", "evaluate_side", "scaled"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A workload with the part of the site that it runs on."""

    work: WorkResult
    node_w: Num
    site: PowerBreakdown
    bill: Bill

    @property
    def tokens_per_joule(self) -> Num:
        """Delivered tokens per joule at the meter of the site."""
        return self.work.tokens_per_s / self.site.site_w

    @property
    def usd_per_million_tokens(self) -> Num:
        """Everything paid per year over everything delivered per year."""
        return self.bill.usd_per_million_tokens(self.work.tokens_per_s)


@dataclass(frozen=True, slots=True)
class Side:
    """All workloads of one kind of chip."""

    spec: ChipSpec
    machine: Machine
    answers: dict[str, Answer]
    used: frozenset[str]

    @property
    def site_w(self) -> Num:
        """Power at the meter, all workloads at once."""
        return sum(a.site.site_w for a in self.answers.values())

    @property
    def peak_site_w(self) -> Num:
        """Power that must be connected: every chip at its limit, times the operators' margin."""
        return sum(a.bill.connected_w for a in self.answers.values())

    @property
    def usd_per_year(self) -> Num:
        return sum(a.bill.usd_per_year for a in self.answers.values())

    @property
    def capex_usd(self) -> Num:
        return sum(a.bill.capex_usd for a in self.answers.values())

    @property
    def main(self) -> Answer:
        """Training where there is any, else serving."""
        return next(iter(self.answers.values()))


def scaled(power: PowerBreakdown, factor: Num) -> PowerBreakdown:
    """Every part of a breakdown times `factor`."""
    parts = {f"{name}_w": part * factor for name, part in power.parts().items()}
    return PowerBreakdown(**parts, chips=power.chips)


def _site_shape(spec: ChipSpec, site: SiteSpec, chips: int, c: Constants) -> SiteShape:
    """What `site_power` and `power_swing` need to know of the site."""
    return {
        "node_chips": min(spec.node_chips, chips),
        "cooling": spec.cooling,
        "pue": c[site.pue] if site.pue else None,
        "optics": site.optics,
        "layers": site.fabric_layers,
    }


def _swing_w(
    machine: Machine, spec: ChipSpec, site: SiteSpec, work: WorkResult, c: Constants
) -> Num:
    """Swing of one synchronous job between computing and waiting, seen by the grid."""
    waits = ("traffic", "sends", "bubble")
    exposed = sum(share for name, share in work.waterfall if name.endswith(waits))
    chips = work.chips_in_step
    shape = _site_shape(spec, site, chips, c)
    return power_swing(machine, chips, work.chip_w, work.step_s, exposed, c, **shape).swing_w


def _site(
    machine: Machine, spec: ChipSpec, site: SiteSpec, chips: int, chip_w: Num, c: Constants
) -> PowerBreakdown:
    found = site_power(machine, chips, chip_w, c, **_site_shape(spec, site, chips, c))
    # what the node model leaves unexplained, from rows it was not fitted on
    return scaled(found, c["residual.node_power_x"])


def _check_limit(side: Side, site: SiteSpec) -> None:
    """Refuse a site limit that this fleet exceeds."""
    if site.power_limit_mw is None:
        return
    drawn, limit = float(np.median(side.site_w)), site.power_limit_mw * 1e6
    idle = sum(float(np.median(a.bill.idle_site_w)) for a in side.answers.values())
    if limit < idle:
        raise InfeasibleError(
            f"site.power_limit_mw = {site.power_limit_mw:g} is below the {idle / 1e6:.3g} MW that "
            f"{side.spec.count} idle {side.machine.name} chips draw",
            f"power_limit_mw = {drawn / 1e6:.3g}, or "
            f"count = {_whole(side.spec, side.spec.count * limit / drawn)}",
        )
    if drawn > limit:
        raise InfeasibleError(
            f"{side.spec.count} {side.machine.name} chips draw {drawn / 1e6:.3g} MW at this work, "
            f"above site.power_limit_mw = {site.power_limit_mw:g}",
            f"count = {_whole(side.spec, side.spec.count * limit / drawn)}",
        )


def _whole(spec: ChipSpec, count: float) -> int:
    return max(1, int(count // spec.node_chips)) * spec.node_chips


def evaluate_side(
    scenario: ScenarioSpec,
    chip: ChipSpec,
    training: TrainingSpec | None,
    serving: ServingSpec | None,
    constants: Constants,
    *,
    check_limit: bool = True,
) -> Side:
    """Rate, power and cost of one chip at the scenario's work.

    With both kinds of work, `site.training_share` of the chips trains. A scenario's own facts are
    already in `constants`.
    """
    machine, c = build(chip, constants)
    limit_w = machine.board_power_max_w
    if chip.power_limit_w is not None:
        idle = float(np.median(machine.idle_power_w))
        if chip.power_limit_w <= idle:
            raise InfeasibleError(
                f"chip.power_limit_w = {chip.power_limit_w:g} is not above the idle power of "
                f"{machine.name} ({idle:.0f} W)",
                f"power_limit_w = {idle * 2:.0f}",
            )
        limit_w = np.minimum(limit_w, chip.power_limit_w)
    both = training is not None and serving is not None
    ranking = scenario.ranking
    ranked = _whole(chip, chip.count * ranking.share) if ranking is not None else 0
    first = chip.count - ranked
    if both:
        first = _whole(chip, first * scenario.site.training_share)
    answers: dict[str, Answer] = {}
    jobs: list[tuple[str, int, WorkResult]] = []
    if training is not None and first:
        work = training_work(
            machine, scenario.model, training, first, c, limit_w=chip.power_limit_w
        )
        jobs.append(("training", first, work))
    rest = chip.count - ranked - (first if both else 0)
    if serving is not None and rest:
        work = serving_work(
            machine,
            scenario.model,
            serving,
            rest,
            c,
            node_chips=min(chip.node_chips, rest),
            leave_rest=both or ranked > 0,
            limit_w=chip.power_limit_w,
        )
        jobs.append(("serving", rest, work))
    if ranking is not None and ranked:
        work = ranking_work(machine, ranking, ranked, c, limit_w=chip.power_limit_w)
        jobs.append(("ranking", ranked, work))
    for kind, chips, work in jobs:
        site = _site(machine, chip, scenario.site, chips, work.chip_w, c)
        top = _site(machine, chip, scenario.site, chips, limit_w, c)
        connected = top.site_w * c["power.site.provision_margin"]
        low = _site(machine, chip, scenario.site, chips, machine.idle_power_w, c)
        node = node_power(
            machine, work.chip_w, c, chips=min(chip.node_chips, chips), cooling=chip.cooling
        )
        if kind == "training":
            swing = _swing_w(machine, chip, scenario.site, work, c)
            work.details["power swing of one job, MW"] = swing / 1e6
        account = bill(chip, machine, scenario.site, site, connected, low.site_w, c)
        answers[kind] = Answer(work, node.total_w, site, account)
    side = Side(chip, machine, answers, frozenset(c.used | constants.used))
    if check_limit:
        _check_limit(side, scenario.site)
    return side
