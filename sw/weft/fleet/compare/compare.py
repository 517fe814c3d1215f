"""The whole comparison of a scenario: views, tornado, losses, breakeven."""

from dataclasses import dataclass

from weft.fleet.bands import Band
from weft.fleet.compare.claims import ClaimCheck, check_claims
from weft.fleet.compare.losses import Loss, losses
from weft.fleet.compare.tornado import Swing, tornado
from weft.fleet.compare.views import View, views
from weft.fleet.constants import Constants
from weft.fleet.errors import InfeasibleError
from weft.fleet.money import breakeven_volume
from weft.fleet.quantity import Num
from weft.fleet.scenarios.scenario import Scenario
from weft.fleet.scenarios.side import Side

__all__ = ["Comparison", "compare_scenario", "money_ratio", "ratio"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rival against built."""

    built: str
    rival: str
    work: str
    """Workload of the tornadoes."""
    views: tuple[View, ...]
    tornado_energy: tuple[Swing, ...]
    """What moves rival over built, tokens per joule."""
    tornado_money: tuple[Swing, ...]
    """What moves rival over built, dollars per token."""
    losses: tuple[Loss, ...]
    claims: tuple[ClaimCheck, ...]
    """Published ratios of other ASICs over GPUs; empty where a GPU stands against a GPU."""
    breakeven_chips: Band | None
    """Rivals at which their one-off cost is paid back; None: no volume pays."""


def ratio(built: Side, rival: Side) -> Num:
    """Tokens per joule of the main workload, rival over built."""
    kind = rival.main.work.kind
    return rival.main.tokens_per_joule / built.answers[kind].tokens_per_joule


def money_ratio(built: Side, rival: Side) -> Num:
    """Dollars per token of the main workload, rival over built."""
    kind = rival.main.work.kind
    return rival.main.usd_per_million_tokens / built.answers[kind].usd_per_million_tokens


def _breakeven(built: Side, rival: Side, c: Constants) -> Band | None:
    """Volume that pays back the one-off cost, on the main workload."""
    kind = rival.main.work.kind
    ours, theirs = rival.main, built.answers[kind]
    one_off = ours.bill.cost.nre_capex_usd
    if rival.machine.kind != "weft":
        return None
    share = one_off / ours.bill.cost.it_capex_usd
    per_year = ours.bill.cost.it_usd_per_year * share
    years = c["money.any.it_life_years"]
    tokens = ours.work.tokens_per_s * 3600.0 * 8766.0 * ours.bill.cost.load_factor / 1e6
    own = ours.usd_per_million_tokens - per_year / tokens
    total = ours.bill.cost.chip.nre_usd * (rival.spec.volume or rival.spec.count)
    try:
        chips = breakeven_volume(
            total, own, theirs.usd_per_million_tokens, tokens * years / ours.work.chips
        )
    except InfeasibleError:
        return None
    return Band.of(chips)


def compare_scenario(
    scenario: Scenario, base: Constants, sampled: Constants, built: Side, rival: Side
) -> Comparison:
    """Compare two evaluated sides.

    Parameters
    ----------
    base, sampled : Constants
        Central values (for the tornado) and the draws that both sides were priced with.
    """
    keys = [k for k in built.used | rival.used if k in base]
    sides: dict[str, tuple[Num, Num]] = {}

    def both(c: Constants) -> Num:
        one, other = scenario.built(c, check_limit=False), scenario.rival(c)
        sides["ratios"] = ratio(one, other), money_ratio(one, other)
        return sides["ratios"][0]

    energy = tornado(base, keys, both)
    money = tornado(base, keys, lambda c: sides["ratios"][1])
    rows = views(scenario, sampled, built, rival)
    return Comparison(
        built=built.machine.name,
        rival=rival.machine.name,
        work=rival.main.work.kind,
        views=rows,
        tornado_energy=energy,
        tornado_money=money,
        losses=losses(scenario, sampled, built, rival, rows),
        claims=check_claims(rows) if rival.machine.kind != built.machine.kind else (),
        breakeven_chips=_breakeven(built, rival, sampled),
    )
