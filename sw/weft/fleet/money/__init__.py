"""Money: die, package, chip, node, site, total cost of ownership, breakeven, supply."""

from weft.fleet.money.area import DieArea, weft_die_area
from weft.fleet.money.chip import ChipCost, chip_cost, die_yield, dies_per_wafer
from weft.fleet.money.supply import SupplyLimit, supply_limit
from weft.fleet.money.tco import (
    CostBreakdown,
    breakeven_volume,
    capital_recovery,
    tco,
    training_run_usd,
    usd_per_million_tokens,
)

__all__ = [
    "ChipCost",
    "CostBreakdown",
    "DieArea",
    "SupplyLimit",
    "breakeven_volume",
    "capital_recovery",
    "chip_cost",
    "die_yield",
    "dies_per_wafer",
    "supply_limit",
    "tco",
    "training_run_usd",
    "usd_per_million_tokens",
    "weft_die_area",
]
