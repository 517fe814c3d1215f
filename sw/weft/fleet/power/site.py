"""Power of a site: nodes, fabric, storage, distribution, cooling; limits and swings."""

from dataclasses import dataclass
from typing import TypedDict, Unpack

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine
from weft.fleet.power.node import node_power
from weft.fleet.quantity import Num

__all__ = [
    "PowerBreakdown",
    "PowerSwing",
    "SiteShape",
    "check_site_limit",
    "power_swing",
    "provisioned_power_w",
    "site_power",
]

OPTICS = ("pluggable", "cpo")


@dataclass(frozen=True, slots=True)
class PowerBreakdown:
    """Power of a whole site by part, in watts, at one level of load."""

    chips_w: Num
    host_w: Num
    nic_w: Num
    fans_w: Num
    conversion_w: Num
    fabric_w: Num
    """Switches with their optics, front end included."""
    storage_w: Num
    distribution_w: Num
    cooling_proportional_w: Num
    cooling_fixed_w: Num
    chips: int

    @property
    def it_w(self) -> Num:
        """What PUE counts as IT: everything inside the halls' plugs."""
        return (
            self.chips_w
            + self.host_w
            + self.nic_w
            + self.fans_w
            + self.conversion_w
            + self.fabric_w
            + self.storage_w
        )

    @property
    def site_w(self) -> Num:
        return self.it_w + self.distribution_w + self.cooling_proportional_w + self.cooling_fixed_w

    @property
    def pue(self) -> Num:
        return self.site_w / self.it_w

    @property
    def per_chip_w(self) -> Num:
        """Site watts per chip, everything included."""
        return self.site_w / self.chips

    def parts(self) -> dict[str, Num]:
        """Watts by part; they add up to `site_w`."""
        names = (
            "chips host nic fans conversion fabric storage distribution cooling_proportional "
            "cooling_fixed"
        ).split()
        return {name: getattr(self, f"{name}_w") for name in names}


class SiteShape(TypedDict, total=False):
    """The keyword arguments of `site_power` that describe the site."""

    node_chips: int
    cooling: str
    pue: Num | None
    optics: str
    layers: int
    queries_per_node_per_s: Num


def _it_parts(
    machine: Machine,
    c: Constants,
    chips: int,
    chip_w: Num,
    node_chips: int,
    cooling: str,
    optics: str,
    layers: int,
    queries_per_s: Num,
) -> dict[str, Num]:
    node = node_power(
        machine, chip_w, c, chips=node_chips, cooling=cooling, queries_per_s=queries_per_s
    )
    nodes = chips / node_chips
    switch = c["power.fabric.switch_w" if optics == "pluggable" else "power.fabric.switch_cpo_w"]
    depth = layers / c["power.fabric.layers_reference"]
    rate = machine.scaleout.bandwidth_bytes_per_s / 100e9
    per_chip = c["power.fabric.switches_per_chip"] * switch * depth * rate
    fabric = chips * per_chip / (1.0 - c["power.fabric.frontend_share"])
    return {
        "chips_w": node.chips_w * nodes,
        "host_w": node.host_w * nodes,
        "nic_w": node.nic_w * nodes,
        "fans_w": node.fans_w * nodes,
        "conversion_w": node.conversion_w * nodes,
        "fabric_w": fabric,
        "storage_w": c["power.site.storage_w_per_chip"] * chips,
    }


def site_power(
    machine: Machine,
    chips: int,
    chip_w: Num,
    constants: Constants | None = None,
    *,
    node_chips: int = 8,
    cooling: str = "liquid",
    pue: Num | None = None,
    optics: str = "pluggable",
    layers: int = 3,
    queries_per_node_per_s: Num = 0.0,
) -> PowerBreakdown:
    """Power of `chips` chips that draw `chip_w` each on average.

    Parameters
    ----------
    pue : Num, optional
        PUE of the site at full load, every chip at its limit (default `power.site.pue_modern`).
        `power.site.fixed_share_of_overhead` of the overhead at full load stays whatever the load.
    optics : str
        `pluggable` or `cpo` (co-packaged).
    layers : int
        Switch layers of the scale-out fabric.
    """
    c = constants if constants is not None else default_constants()
    if chips < 1:
        raise FleetError(f"chips must be at least 1, not {chips}")
    if optics not in OPTICS:
        raise FleetError(f"optics must be one of {', '.join(OPTICS)}, not {optics!r}")
    if layers not in (1, 2, 3, 4):
        raise FleetError(f"layers must be 1..4, not {layers}")
    full_pue = c["power.site.pue_modern"] if pue is None else pue
    if np.any(np.asarray(full_pue) < 1.0):
        raise FleetError(f"pue must be at least 1, not {float(np.min(full_pue)):g}")
    shape = (node_chips, cooling, optics, layers)
    now = _it_parts(machine, c, chips, chip_w, *shape, queries_per_node_per_s)
    top = _it_parts(machine, c, chips, machine.board_power_max_w, *shape, queries_per_node_per_s)
    it, it_full = sum(now.values()), sum(top.values())
    overhead = (full_pue - 1.0) * it_full
    fixed = c["power.site.fixed_share_of_overhead"] * overhead
    loss = np.minimum(c["power.site.distribution_loss_share"] * it_full, overhead - fixed)
    cooling_full = overhead - fixed - loss
    share = it / it_full
    return PowerBreakdown(
        **now,
        distribution_w=loss * share,
        cooling_proportional_w=cooling_full * share,
        cooling_fixed_w=fixed,
        chips=chips,
    )


def provisioned_power_w(
    machine: Machine, chips: int, constants: Constants | None = None, **site: Unpack[SiteShape]
) -> Num:
    """Watts an operator contracts: every chip at its limit, times `power.site.provision_margin`."""
    c = constants if constants is not None else default_constants()
    full = site_power(machine, chips, machine.board_power_max_w, c, **site)
    return full.site_w * c["power.site.provision_margin"]


def check_site_limit(
    machine: Machine,
    chips: int,
    chip_w: Num,
    limit_w: float,
    constants: Constants | None = None,
    **site: Unpack[SiteShape],
) -> PowerBreakdown:
    """Site power within `limit_w`, capping the chips if that is enough (median over draws).

    Raises
    ------
    InfeasibleError
        if the site exceeds the limit even with every chip idle; names the chips that fit.
    """

    def at(watts: Num) -> PowerBreakdown:
        return site_power(machine, chips, watts, constants, **site)

    def level(power: PowerBreakdown) -> float:
        return float(np.median(power.site_w))

    wanted, idle = at(chip_w), at(machine.idle_power_w)
    if level(wanted) <= limit_w:
        return wanted
    if level(idle) >= limit_w:
        fit = int(chips * limit_w / level(wanted))
        raise InfeasibleError(
            f"site limit {limit_w / 1e6:.3g} MW is below the {level(idle) / 1e6:.3g} MW that "
            f"{chips} idle chips draw",
            f"{fit} chips at full load, or site_limit_mw = {level(idle) / 1e6 * 1.01:.3g}",
        )
    span = level(wanted) - level(idle)
    share = (limit_w - level(idle)) / span
    return at(machine.idle_power_w + (chip_w - machine.idle_power_w) * share)


@dataclass(frozen=True, slots=True)
class PowerSwing:
    """What a synchronous job does to the grid connection."""

    high_w: Num
    low_w: Num
    swing_w: Num
    period_s: Num
    smoothing_energy_j: Num
    """Storage that would hold the site at its mean through one period."""


def power_swing(
    machine: Machine,
    chips: int,
    chip_w: Num,
    step_s: Num,
    exposed_share: Num,
    constants: Constants | None = None,
    **site: Unpack[SiteShape],
) -> PowerSwing:
    """Swing between computing and waiting for the network, all chips in step.

    `exposed_share`: share of a step in which no chip computes (exposed collectives, bubble).
    """
    c = constants if constants is not None else default_constants()
    low_share = c["power.site.comm_power_share"]
    waiting = machine.idle_power_w + (chip_w - machine.idle_power_w) * low_share
    high_chip = np.minimum(
        (chip_w - waiting * exposed_share) / np.maximum(1.0 - exposed_share, 1e-6),
        machine.board_power_max_w * c["power.site.chip_peak_over_mean"],
    )
    high = site_power(machine, chips, high_chip, c, **site).site_w
    low = site_power(machine, chips, waiting, c, **site).site_w
    held = (high - low) * exposed_share * (1.0 - exposed_share) * step_s
    return PowerSwing(high, low, high - low, step_s, held)
