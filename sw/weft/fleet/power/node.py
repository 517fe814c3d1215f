"""Power of a node: chips, host, NICs, fans, conversion."""

from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError
from weft.fleet.machines import Machine
from weft.fleet.quantity import Num

__all__ = ["COOLING", "NodePower", "node_power"]

COOLING = ("air", "liquid")
REFERENCE_CHIPS = 8
"""`power.host.base_w` is for a node of this many chips."""


@dataclass(frozen=True, slots=True)
class NodePower:
    """Wall power of one node, by part, in watts."""

    chips_w: Num
    host_w: Num
    nic_w: Num
    fans_w: Num
    conversion_w: Num
    chips: int

    @property
    def total_w(self) -> Num:
        return self.chips_w + self.host_w + self.nic_w + self.fans_w + self.conversion_w

    @property
    def per_chip_w(self) -> Num:
        return self.total_w / self.chips


def node_power(
    machine: Machine,
    chip_w: Num,
    constants: Constants | None = None,
    *,
    chips: int = 8,
    cooling: str = "air",
    fabric: bool = True,
    queries_per_s: Num = 0.0,
) -> NodePower:
    """Wall power of a node whose chips draw `chip_w` each.

    Parameters
    ----------
    fabric : bool
        Whether the scale-out NICs and their optics are in use (one per chip).
    queries_per_s : Num
        Small queries the host hands over each second (0 for training and LLM serving); CPUs reach
        full power at `power.host.queries_full_load_per_s`.

    Notes
    -----
    Host power of GPUs scales with the chips of a node over 8; a Weft chip has its own share of a
    host (`power.weft.host_w_per_chip`). Supplies lose `1 / efficiency - 1` of what they deliver.
    """
    c = constants if constants is not None else default_constants()
    if chips < 1:
        raise FleetError(f"chips of a node must be at least 1, not {chips}")
    if cooling not in COOLING:
        raise FleetError(f"cooling must be one of {', '.join(COOLING)}, not {cooling!r}")
    if np.any(np.asarray(chip_w) < 0):
        raise FleetError("chip_w must not be negative")
    scale = chips / REFERENCE_CHIPS
    base = c["power.host.base_w"] * scale
    if machine.kind == "weft":
        base = c["power.weft.host_w_per_chip"] * chips
    busy = np.minimum(1.0, queries_per_s / c["power.host.queries_full_load_per_s"])
    host = base + c["power.host.cpu_dynamic_w"] * scale * busy
    nic = c["power.host.nic_w_per_chip"] * chips if fabric else 0.0
    all_chips = chip_w * chips
    fans = c[f"power.host.fan_share_{cooling}"] * all_chips
    delivered = all_chips + host + nic
    lost = delivered * (1.0 / c["power.host.psu_efficiency"] - 1.0)
    return NodePower(all_chips, host, nic, fans, lost, chips)
