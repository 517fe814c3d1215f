"""Public facts about the fleets in the news, and what the model says to each.

`facts.csv` carries statement, value (with a range where the source gives one), unit and source. A
fact is inside when the model's P5-P95 band holds its value, or overlaps its own range; `at least`
asks that the middle of the band is not below it. Nothing is fitted to these rows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from weft.fleet.bands import Band
from weft.fleet.constants import Constants
from weft.fleet.csv_rows import read_rows
from weft.fleet.errors import FleetError
from weft.fleet.machines import Machine, gpu
from weft.fleet.money import CostBreakdown, tco
from weft.fleet.power import PowerBreakdown, site_power
from weft.fleet.quantity import Num
from weft.fleet.scenarios.side import scaled
from weft.fleet.validate.llama3_run import chip_hours

__all__ = ["QUANTITIES", "Fact", "FactCheck", "check_fact", "check_facts", "facts"]

RELATIONS = ("about", "at least")
NARROW = 0.25
"""Largest half-width of a band, over its middle, that still says something."""

DIES = {"gb200": 2, "h100_sxm": 1}
REFERENCE = 72_000
"""Chips of the fleet that per-chip numbers are taken from (whole nodes and racks)."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One published statement."""

    fleet: str
    fact: str
    chip: str
    cooling: str
    """`air` or `liquid`."""
    site_pue: str
    quantity: str
    given: float
    value: float
    low: float
    high: float
    unit: str
    relation: str
    source: str
    locator: str
    date: str
    kind: str
    note: str


@dataclass(frozen=True, slots=True)
class FactCheck:
    """A fact beside the model's band."""

    fact: Fact
    modelled: Band
    inside: bool
    narrow: bool
    """The band is no wider than +-25 %."""

    @property
    def ratio(self) -> float:
        """Middle of the band over the published value."""
        return self.modelled.p50 / self.fact.value


@dataclass(frozen=True, slots=True)
class _Fleet:
    """A large fleet of one chip with every chip at its limit."""

    machine: Machine
    full: PowerBreakdown
    cost: CostBreakdown
    connected_w: Num
    c: Constants
    pue: Num

    def each(self, whole: Num) -> Num:
        return whole / REFERENCE


def _chips_for_gw(f: _Fleet, gw: float) -> Num:
    return gw * 1e9 / f.each(f.connected_w)


def _llama_co2(f: _Fleet, hours: float) -> Num:
    kwh = hours * f.machine.board_power_max_w / 1e3 * f.pue
    return kwh * f.c["site.us.grid_g_per_kwh"] / 1e6


QUANTITIES: dict[str, Callable[[_Fleet, float], Num]] = {
    "connected_mw": lambda f, n: n * f.each(f.connected_w) / 1e6,
    "it_connected_mw": lambda f, n: (
        n * f.each(f.full.it_w) * f.c["power.site.provision_margin"] / 1e6
    ),
    "energy_twh": lambda f, n: n * f.each(f.full.site_w) * 8766.0 / 1e12,
    "server_capex_usd": lambda f, n: n * f.each(f.cost.chips_capex_usd + f.cost.servers_capex_usd),
    "chip_capex_usd": lambda f, n: n * f.each(f.cost.chips_capex_usd),
    "it_capex_usd": lambda f, n: n * f.each(f.cost.it_capex_usd),
    "other_rated_w": lambda f, n: (
        n * (f.each(f.full.it_w) * f.c["power.site.provision_margin"] - f.machine.board_power_max_w)
    ),
    "rack_kw": lambda f, n: (
        n
        * f.each(
            f.full.chips_w + f.full.host_w + f.full.nic_w + f.full.fans_w + f.full.conversion_w
        )
        / 1e3
    ),
    "chips_for_gw": _chips_for_gw,
    "dies_for_gw": lambda f, gw: DIES[f.machine.name] * _chips_for_gw(f, gw),
    "capex_for_gw_usd": lambda f, gw: _chips_for_gw(f, gw) * f.each(f.cost.capex_usd),
    "facility_for_gw_usd": lambda f, gw: _chips_for_gw(f, gw) * f.each(f.cost.facility_capex_usd),
    "gw_for_usd": lambda f, usd: usd / f.each(f.cost.capex_usd) * f.each(f.connected_w) / 1e9,
    "chips_for_usd": lambda f, usd: usd / f.each(f.cost.capex_usd),
    "llama405_chip_hours": lambda f, tokens: chip_hours(f.c) * f.c["residual.training_x"],
    "llama405_co2_t": _llama_co2,
}
"""What a fact can be about: name -> function of a fleet and the given number."""


@cache
def facts() -> tuple[Fact, ...]:
    """Every fact of the package, in file order."""
    text = (resources.files("weft.fleet.scenarios") / "facts.csv").read_text(encoding="utf-8")
    rows = []
    for number, row in enumerate(read_rows(Fact, text, "facts.csv"), 2):
        where = f"facts.csv:{number}"
        if row.quantity not in QUANTITIES:
            raise FleetError(f"{where}: unknown quantity {row.quantity!r}")
        if row.relation not in RELATIONS:
            raise FleetError(f"{where}: relation must be one of {', '.join(RELATIONS)}")
        if not row.source or not row.date:
            raise FleetError(f"{where}: a fact needs a source and a date")
        low, high = (row.value if math.isnan(x) else x for x in (row.low, row.high))
        rows.append(replace(row, low=low, high=high))
    return tuple(rows)


def _fleet(chip: str, cooling: str, site_pue: str, c: Constants) -> _Fleet:
    machine = gpu(chip, c)
    pue = c[site_pue or "power.site.pue_modern"]
    node = 72 if chip in ("gb200", "gb300") else 8
    full = site_power(
        machine,
        REFERENCE,
        machine.board_power_max_w,
        c,
        node_chips=node,
        cooling=cooling,
        pue=pue,
    )
    left = c["residual.node_power_x"]
    full = scaled(full, left)
    connected = full.site_w * c["power.site.provision_margin"]
    cost = tco(machine, REFERENCE, full, c, provisioned_w=connected)
    return _Fleet(machine, full, cost, connected, c, pue)


def check_fact(fact: Fact, c: Constants) -> FactCheck:
    """The model's band for one fact, from sampled constants."""
    fleet = _fleet(fact.chip, fact.cooling, fact.site_pue, c)
    band = Band.of(QUANTITIES[fact.quantity](fleet, fact.given))
    if fact.relation == "at least":
        inside = band.p50 >= fact.value
    else:
        inside = band.p5 <= fact.high and band.p95 >= fact.low
    return FactCheck(fact, band, inside, band.half_width_share <= NARROW)


def check_facts(fleet: str, c: Constants) -> tuple[FactCheck, ...]:
    """Every fact of a fleet (empty name: of all fleets)."""
    return tuple(check_fact(f, c) for f in facts() if fleet in ("", f.fleet))
