"""Total cost of ownership: capital recovered over its life, energy, people, upkeep."""

from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine
from weft.fleet.money.chip import ChipCost, chip_cost
from weft.fleet.power.site import PowerBreakdown
from weft.fleet.quantity import Num

__all__ = [
    "CostBreakdown",
    "breakeven_volume",
    "capital_recovery",
    "tco",
    "training_run_usd",
    "usd_per_million_tokens",
]

HOURS_PER_YEAR = 8766.0
RACK_SCALE = ("gb200", "gb300")
"""Price includes CPU, link switches and rack."""


@dataclass(frozen=True, slots=True)
class CostBreakdown:
    """US dollars of a site: capital by part, and yearly cost by part."""

    chips_capex_usd: Num
    nre_capex_usd: Num
    servers_capex_usd: Num
    fabric_capex_usd: Num
    storage_capex_usd: Num
    facility_capex_usd: Num
    it_usd_per_year: Num
    """Recovery of IT capital (chips, NRE, servers, fabric, storage)."""
    facility_usd_per_year: Num
    energy_usd_per_year: Num
    staff_usd_per_year: Num
    maintenance_usd_per_year: Num
    chip: ChipCost
    chips: int
    load_factor: Num

    @property
    def it_capex_usd(self) -> Num:
        return (
            self.chips_capex_usd
            + self.nre_capex_usd
            + self.servers_capex_usd
            + self.fabric_capex_usd
            + self.storage_capex_usd
        )

    @property
    def capex_usd(self) -> Num:
        return self.it_capex_usd + self.facility_capex_usd

    @property
    def usd_per_year(self) -> Num:
        return (
            self.it_usd_per_year
            + self.facility_usd_per_year
            + self.energy_usd_per_year
            + self.staff_usd_per_year
            + self.maintenance_usd_per_year
        )

    @property
    def usd_per_chip_hour(self) -> Num:
        """Per chip and hour on the clock, used or not."""
        return self.usd_per_year / (self.chips * HOURS_PER_YEAR)

    @property
    def usd_per_useful_chip_hour(self) -> Num:
        """Per chip and hour in use."""
        return self.usd_per_chip_hour / self.load_factor

    def parts(self) -> dict[str, Num]:
        """Yearly dollars by part; they add up to `usd_per_year`."""
        names = ("it", "facility", "energy", "staff", "maintenance")
        return {name: getattr(self, f"{name}_usd_per_year") for name in names}


def capital_recovery(rate: Num, years: Num) -> Num:
    """Yearly payment per dollar of capital at `rate` over `years`."""
    if np.any(np.asarray(years) <= 0):
        raise FleetError("years of a capital recovery must be positive")
    rate, years = np.asarray(rate, float), np.asarray(years, float)
    paid = -np.expm1(-years * np.log1p(rate))
    out = np.where(rate > 0, rate / np.where(rate > 0, paid, 1.0), 1.0 / years)
    return float(out) if out.ndim == 0 else out


def tco(
    machine: Machine,
    chips: int,
    power: PowerBreakdown,
    constants: Constants | None = None,
    *,
    provisioned_w: Num | None = None,
    electricity_usd_per_kwh: Num | None = None,
    load_factor: Num | None = None,
    volume: float | None = None,
    die_mm2: Num | None = None,
    node: str | None = None,
    chip_price_usd: Num | None = None,
) -> CostBreakdown:
    """Cost of owning and running `chips` chips for a year.

    Parameters
    ----------
    power : PowerBreakdown
        Mean power of the site while in use (`site_power`); idle hours are priced like used ones.
    provisioned_w : Num, optional
        What the facility is built for (default: the site power given, times the provision margin).
    volume : float, optional
        Chips of own silicon that share the NRE (default: `chips`).
    die_mm2 : Num, optional
        Needed for Weft.
    """
    c = constants if constants is not None else default_constants()
    if chips < 1:
        raise FleetError(f"chips must be at least 1, not {chips}")
    if power.chips != chips:
        raise FleetError(
            f"the power breakdown is for {power.chips} chips and the cost for {chips}; use the "
            "same number"
        )
    price = (
        c["money.any.electricity_usd_per_kwh"]
        if electricity_usd_per_kwh is None
        else electricity_usd_per_kwh
    )
    if np.any(np.asarray(price) < 0):
        raise FleetError("electricity_usd_per_kwh must not be negative")
    factor = c["money.any.load_factor"] if load_factor is None else load_factor
    if np.any(np.asarray(factor) <= 0) or np.any(np.asarray(factor) > 1):
        raise FleetError("load_factor must be above 0 and at most 1")
    one = chip_cost(
        machine,
        c,
        die_mm2=die_mm2,
        node=node,
        volume=volume if volume is not None else float(chips),
        price_usd=chip_price_usd,
    )
    built = (
        power.site_w * c["power.site.provision_margin"] if provisioned_w is None else provisioned_w
    )
    server = c[
        "money.weft.server_usd_per_chip"
        if machine.kind == "weft"
        else "money.gpu.rack_scale_server_usd_per_chip"
        if machine.name in RACK_SCALE
        else "money.gpu.server_usd_per_chip"
    ]
    rate = machine.scaleout.bandwidth_bytes_per_s / 50e9
    capital = {
        "chips_capex_usd": chips * (one.total_usd - one.nre_usd),
        "nre_capex_usd": chips * one.nre_usd,
        "servers_capex_usd": chips * server,
        "fabric_capex_usd": chips * c["money.any.fabric_usd_per_chip"] * rate,
        "storage_capex_usd": chips * c["money.any.storage_usd_per_chip"],
    }
    facility = built * c["money.any.facility_usd_per_w"]
    it = sum(capital.values())
    discount = c["money.any.discount_rate"]
    return CostBreakdown(
        **capital,
        facility_capex_usd=facility,
        it_usd_per_year=it * capital_recovery(discount, c["money.any.it_life_years"]),
        facility_usd_per_year=facility
        * capital_recovery(discount, c["money.any.facility_life_years"]),
        energy_usd_per_year=power.site_w / 1e3 * HOURS_PER_YEAR * price,
        staff_usd_per_year=power.site_w / 1e6 * c["money.any.staff_usd_per_mw_year"],
        maintenance_usd_per_year=it * c["money.any.maintenance_share"],
        chip=one,
        chips=chips,
        load_factor=factor,
    )


def usd_per_million_tokens(cost: CostBreakdown, tokens_per_s: Num) -> Num:
    """Dollars per million useful tokens of a site that makes `tokens_per_s` while in use."""
    if np.any(np.asarray(tokens_per_s) <= 0):
        raise FleetError("tokens_per_s must be positive")
    useful = tokens_per_s * 3600.0 * HOURS_PER_YEAR * cost.load_factor
    return cost.usd_per_year / useful * 1e6


def training_run_usd(cost: CostBreakdown, chip_hours: Num) -> Num:
    """Dollars of a training run of `chip_hours` (failures included) at useful-hour cost."""
    if np.any(np.asarray(chip_hours) <= 0):
        raise FleetError("chip_hours must be positive")
    return cost.usd_per_useful_chip_hour * chip_hours


def breakeven_volume(
    nre_usd: Num, own_usd_per_work: Num, bought_usd_per_work: Num, work_per_chip: Num
) -> Num:
    """Own chips at which NRE is paid back by cheaper work.

    Parameters
    ----------
    own_usd_per_work, bought_usd_per_work : Num
        Cost of a unit of work (a million tokens) without NRE, and of the same work on bought chips.
    work_per_chip : Num
        Units of work one own chip does over its life.

    Raises
    ------
    InfeasibleError
        if own silicon is no cheaper (median over draws): no volume pays back.
    """
    saved = (bought_usd_per_work - own_usd_per_work) * work_per_chip
    if float(np.median(saved)) <= 0:
        raise InfeasibleError(
            "own chips save nothing per unit of work, so no volume pays back the NRE "
            f"(own {float(np.median(own_usd_per_work)):.3g} USD, bought "
            f"{float(np.median(bought_usd_per_work)):.3g} USD)",
            "buy the chips",
        )
    with np.errstate(divide="ignore"):
        return np.where(saved > 0, nre_usd / np.where(saved > 0, saved, 1.0), np.inf)
