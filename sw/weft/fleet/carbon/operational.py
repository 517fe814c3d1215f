"""Carbon of running: location-based (the grid's mean) and market-based (what was contracted).

Market-based after the GHG Protocol, but hour by hour as far as a yearly model can: contracts over a
year cover demand only in hours they produce, unless stored. `renewable_share` is contracted energy
over demand; `matched_share` is how much of demand it meets as it is produced; storage moves what is
left over, at its round-trip loss, up to `storage_share` of demand.
"""

from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError
from weft.fleet.quantity import Num

__all__ = ["Supply", "operational_kg_per_year"]

HOURS_PER_YEAR = 8766.0
REGIONS = ("us", "quebec", "norway", "poland")


@dataclass(frozen=True, slots=True)
class Supply:
    """Where a site's energy comes from."""

    grid_g_per_kwh: Num | None = None
    """Mean intensity of the grid (default: that of `region`)."""
    region: str = "us"
    """One of `REGIONS`."""
    renewable_share: float = 0.0
    """Contracted renewable energy over yearly demand."""
    matched_share: float = 0.7
    """Share of the contracted energy that is produced while there is demand for it."""
    storage_share: float = 0.0
    """Largest share of yearly demand that storage can move."""

    def __post_init__(self) -> None:
        if self.region not in REGIONS:
            raise FleetError(
                f"region must be one of {', '.join(REGIONS)}, not {self.region!r}; or give "
                "grid_g_per_kwh"
            )
        for name in ("renewable_share", "matched_share", "storage_share"):
            value = getattr(self, name)
            if not 0 <= value <= (3.0 if name == "renewable_share" else 1.0):
                top = 3 if name == "renewable_share" else 1
                raise FleetError(f"{name} must be in [0, {top}], not {value}")
        if self.grid_g_per_kwh is not None and np.any(np.asarray(self.grid_g_per_kwh) < 0):
            raise FleetError("grid_g_per_kwh must not be negative")

    def covered(self, round_trip: Num) -> Num:
        """Share of demand met by renewables, direct and stored."""
        direct = np.minimum(1.0, self.renewable_share * self.matched_share)
        spare = self.renewable_share - direct
        stored = np.minimum(self.storage_share, spare * round_trip)
        return np.minimum(1.0, direct + stored)


def operational_kg_per_year(
    site_w: Num, supply: Supply, constants: Constants | None = None
) -> tuple[Num, Num, Num]:
    """(location-based, market-based, hourly-matched) kilograms of CO2e per year.

    Location-based ignores contracts. Market-based counts every contracted kilowatt-hour, whenever
    produced. Hourly-matched counts only what met demand, directly or through storage.
    """
    c = constants if constants is not None else default_constants()
    grid = (
        c[f"carbon.any.grid_{supply.region}_g_per_kwh"]
        if supply.grid_g_per_kwh is None
        else supply.grid_g_per_kwh
    )
    kwh = site_w / 1e3 * HOURS_PER_YEAR
    clean = c["carbon.any.renewable_g_per_kwh"]
    rest = grid * c["carbon.any.residual_mix_factor"] if supply.renewable_share > 0 else grid
    bought = min(1.0, supply.renewable_share)
    market = bought * np.minimum(clean, rest) + (1.0 - bought) * rest
    met = supply.covered(c["carbon.any.storage_round_trip"])
    hourly = met * np.minimum(clean, rest) + (1.0 - met) * rest
    return kwh * grid / 1e3, kwh * market / 1e3, kwh * hourly / 1e3
