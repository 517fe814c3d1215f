"""Carbon of a fleet per year and per useful token."""

from dataclasses import dataclass

import numpy as np

from weft.fleet.carbon.embodied import Embodied, embodied
from weft.fleet.carbon.operational import HOURS_PER_YEAR, Supply, operational_kg_per_year
from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError
from weft.fleet.machines import Machine
from weft.fleet.power.site import PowerBreakdown
from weft.fleet.quantity import Num

__all__ = ["CarbonBreakdown", "carbon", "grams_per_million_tokens"]


@dataclass(frozen=True, slots=True)
class CarbonBreakdown:
    """Kilograms of CO2e of a site."""

    made: Embodied
    embodied_kg_per_year: Num
    """IT over its life, building over its own."""
    location_kg_per_year: Num
    market_kg_per_year: Num
    hourly_kg_per_year: Num

    @property
    def embodied_kg(self) -> Num:
        return self.made.total_kg

    @property
    def total_location_kg_per_year(self) -> Num:
        return self.embodied_kg_per_year + self.location_kg_per_year

    @property
    def total_market_kg_per_year(self) -> Num:
        return self.embodied_kg_per_year + self.market_kg_per_year


def carbon(
    machine: Machine,
    chips: int,
    power: PowerBreakdown,
    constants: Constants | None = None,
    *,
    supply: Supply | None = None,
    die_mm2: Num | None = None,
    node: str | None = None,
) -> CarbonBreakdown:
    """Embodied and operational carbon of a site at the mean power given."""
    c = constants if constants is not None else default_constants()
    if power.chips != chips:
        raise FleetError(
            f"the power breakdown is for {power.chips} chips and the carbon for {chips}; use the "
            "same number"
        )
    made = embodied(machine, chips, power.site_w, c, die_mm2=die_mm2, node=node)
    yearly = (
        made.it_kg / c["money.any.it_life_years"]
        + made.facility_kg / c["money.any.facility_life_years"]
    )
    location, market, hourly = operational_kg_per_year(power.site_w, supply or Supply(), c)
    return CarbonBreakdown(made, yearly, location, market, hourly)


def grams_per_million_tokens(kg_per_year: Num, tokens_per_s: Num, load_factor: Num = 1.0) -> Num:
    """Grams of CO2e per million useful tokens."""
    if np.any(np.asarray(tokens_per_s) <= 0):
        raise FleetError("tokens_per_s must be positive")
    return kg_per_year * 1e3 / (tokens_per_s * 3600.0 * HOURS_PER_YEAR * load_factor) * 1e6
