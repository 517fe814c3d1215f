"""Supply as a constraint: memory, packaging and lead time bound how many chips can be had."""

from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine
from weft.fleet.money.chip import dies_per_wafer
from weft.fleet.quantity import Num

__all__ = ["SupplyLimit", "supply_limit"]


@dataclass(frozen=True, slots=True)
class SupplyLimit:
    """Chips that can be delivered within a time, and what binds."""

    chips: Num
    hbm_chips: Num
    packaging_chips: Num
    binding: str
    """`hbm`, `packaging` or `lead_time` (median over draws)."""
    delivery_weeks: float


def supply_limit(
    machine: Machine,
    weeks: float,
    constants: Constants | None = None,
    *,
    die_mm2: Num,
    market_share: Num | None = None,
    wanted: int | None = None,
) -> SupplyLimit:
    """Chips delivered `weeks` after ordering.

    Nothing comes before the lead time; then HBM and CoWoS allocations flow evenly. A package takes
    an interposer of twice the die on a 300 mm wafer.

    Raises
    ------
    InfeasibleError
        if more chips are `wanted` than arrive (median); names how many do.
    """
    c = constants if constants is not None else default_constants()
    if weeks <= 0:
        raise FleetError(f"weeks must be positive, not {weeks}")
    share = c["money.supply.market_share"] if market_share is None else market_share
    years = np.maximum(weeks - c["money.supply.lead_time_weeks"], 0.0) / 52.18
    gigabytes = c["money.supply.hbm_gb_per_year"] * share * years
    hbm = gigabytes / (machine.memory_bytes / 1e9)
    wafers = c["money.supply.cowos_wafers_per_year"] * share * years
    packaging = wafers * dies_per_wafer(2.0 * die_mm2, c) * c["money.any.package_yield"]
    chips = np.minimum(hbm, packaging)
    if float(np.median(years)) <= 0:
        binding = "lead_time"
    else:
        binding = "hbm" if float(np.median(hbm)) < float(np.median(packaging)) else "packaging"
    if wanted is not None and wanted > float(np.median(chips)):
        raise InfeasibleError(
            f"{wanted} chips are wanted in {weeks:g} weeks and {binding} allows "
            f"{float(np.median(chips)):.0f}",
            f"chips = {int(np.median(chips))}",
        )
    return SupplyLimit(chips, hbm, packaging, binding, weeks)
