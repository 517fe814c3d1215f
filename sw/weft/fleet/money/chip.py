"""Cost of one packaged chip: die from wafer and yield, memory, package, test, NRE, margin.

Yield: negative binomial, `(1 + A D / alpha)^-alpha`, with `D` the defects that redundancy does not
absorb. GPUs are bought at their price; their manufacturing cost is shown beside it.
"""

from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError
from weft.fleet.machines import Machine
from weft.fleet.quantity import Num

__all__ = ["NODES", "ChipCost", "chip_cost", "die_yield", "dies_per_wafer"]

NODES = ("n7", "n5", "n3")
GPU_NODE = {"a100_sxm": "n7"}
DIES = {"b200_sxm": 2, "b300_sxm": 2, "gb200": 2, "gb300": 2} | dict.fromkeys(
    ("mi300x", "mi325x", "mi355x"), 12
)
"""Dies per package, where more than one."""
AREA_SIBLING = {
    "h200_sxm": "h100_sxm",
    "b300_sxm": "b200_sxm",
    "gb200": "b200_sxm",
    "gb300": "b200_sxm",
}


@dataclass(frozen=True, slots=True)
class ChipCost:
    """US dollars of one packaged, tested chip."""

    die_usd: Num
    memory_usd: Num
    packaging_usd: Num
    test_usd: Num
    scrap_usd: Num
    """Good parts lost in assembly."""
    nre_usd: Num
    """Share of the one-off cost at the volume asked for."""
    margin_usd: Num
    """What the seller adds (vendor's for a GPU, partner's for own silicon)."""
    die_mm2: Num
    yield_share: Num

    @property
    def manufacturing_usd(self) -> Num:
        return self.die_usd + self.memory_usd + self.packaging_usd + self.test_usd + self.scrap_usd

    @property
    def total_usd(self) -> Num:
        """What the operator pays per chip."""
        return self.manufacturing_usd + self.nre_usd + self.margin_usd


def dies_per_wafer(die_mm2: Num, constants: Constants | None = None) -> Num:
    """Whole dies on a wafer: usable disc over die with scribe lanes, less the rim."""
    c = constants if constants is not None else default_constants()
    if np.any(np.asarray(die_mm2) <= 0):
        raise FleetError(f"die_mm2 must be positive, not {float(np.min(die_mm2)):g}")
    side = np.sqrt(die_mm2) + c["money.any.scribe_mm"]
    area = side * side
    usable = c["money.any.wafer_mm"] - 2.0 * c["money.any.edge_mm"]
    return np.maximum(np.pi * usable**2 / (4.0 * area) - np.pi * usable / np.sqrt(2.0 * area), 1.0)


def die_yield(die_mm2: Num, node: str = "n5", constants: Constants | None = None) -> Num:
    """Share of dies that can be sold, negative binomial."""
    c = constants if constants is not None else default_constants()
    if node not in NODES:
        raise FleetError(f"node must be one of {', '.join(NODES)}, not {node!r}")
    killers = c[f"money.{node}.defects_per_cm2"] * (1.0 - c["money.any.repairable_share"])
    alpha = c["money.any.yield_cluster"]
    return (1.0 + die_mm2 / 100.0 * killers / alpha) ** (-alpha)


def _die_mm2(machine: Machine, c: Constants) -> Num:
    name = AREA_SIBLING.get(machine.name, machine.name)
    for key in (f"gpu.{name}.die_area_mm2", f"money.gpu.{name}.die_mm2"):
        if key in c:
            return c[key]
    raise FleetError(f"there is no die area for {machine.name}; pass die_mm2=")


def chip_cost(
    machine: Machine,
    constants: Constants | None = None,
    *,
    die_mm2: Num | None = None,
    node: str | None = None,
    volume: float | None = None,
    price_usd: Num | None = None,
) -> ChipCost:
    """Cost of one chip.

    Parameters
    ----------
    die_mm2 : Num, optional
        Die area; needed for Weft (`weft_die_area(...).total_mm2`), else from `gpu.<name>.*`.
    node : str, optional
        `n7`, `n5` or `n3` (default: n5; N7 for A100).
    volume : float, optional
        Chips over which own silicon spreads its NRE; required for Weft.
    price_usd : Num, optional
        Price of a bought chip (default `money.gpu.<name>.price_usd`).
    """
    c = constants if constants is not None else default_constants()
    own = machine.kind == "weft"
    chips = 1.0 if volume is None else volume
    if own and die_mm2 is None:
        raise FleetError("chip_cost of own silicon needs die_mm2=weft_die_area(...).total_mm2")
    if own and (volume is None or volume <= 0):
        raise FleetError(f"chip_cost of own silicon needs a positive volume, not {volume}")
    process = node or GPU_NODE.get(machine.name, "n5")
    area = die_mm2 if die_mm2 is not None else _die_mm2(machine, c)
    count = DIES.get(machine.name, 1)
    one = area / count
    good = die_yield(one, process, c)
    die = c[f"money.{process}.wafer_usd"] / (dies_per_wafer(one, c) * good) * count
    memory = machine.memory_bytes / 1e9 * c["money.any.hbm_usd_per_gb"]
    reference = c["money.any.packaging_reference_mm2"]
    packaging = c["money.any.packaging_usd_per_chip"] * (0.4 + 0.6 * area / reference)
    test = c["money.any.test_usd_per_chip"]
    lost = (1.0 / c["money.any.package_yield"] - 1.0) * (die + memory + packaging)
    made = die + memory + packaging + test + lost
    if own:
        nre = c["money.weft.nre_usd"] / chips
        margin = made * (c["money.weft.chip_margin"] - 1.0)
    else:
        price = c[f"money.gpu.{machine.name}.price_usd"] if price_usd is None else price_usd
        nre, margin = 0.0, price - made
    return ChipCost(die, memory, packaging, test, lost, nre, margin, area, good)
