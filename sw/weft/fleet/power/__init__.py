"""Power from the chip to the site: phases, capping, host, fabric, conversion, cooling, swings."""

from weft.fleet.power.cap import CapResult, cap_power
from weft.fleet.power.chip import PHASES, ChipPower, chip_power, phase_power
from weft.fleet.power.node import NodePower, node_power
from weft.fleet.power.site import (
    PowerBreakdown,
    PowerSwing,
    SiteShape,
    check_site_limit,
    power_swing,
    provisioned_power_w,
    site_power,
)

__all__ = [
    "PHASES",
    "CapResult",
    "ChipPower",
    "NodePower",
    "PowerBreakdown",
    "PowerSwing",
    "SiteShape",
    "cap_power",
    "check_site_limit",
    "chip_power",
    "node_power",
    "phase_power",
    "power_swing",
    "provisioned_power_w",
    "site_power",
]
