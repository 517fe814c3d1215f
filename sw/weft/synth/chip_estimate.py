"""A whole chip of any configuration on any node: area, clock, power, thermal design power.

Modelled from the unit-cost table; every line is a count times a row (``chip_parts``,
``chip_power``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from weft_hw.config import ChipConfig

from .chip_parts import Part, chip_parts, element_block, tile_cost
from .chip_power import Activity, PowerLine, activity_at, chip_power
from .node_costs import Cost, NodeCosts, add_costs
from .timing import DEFAULT_MARGIN
from .unit_costs import UnitCost

__all__ = ["DERATE", "ChipEstimate", "estimate_chip"]

#: Shares of the period kept, and why. Assumed, usual for a first layout; they make up the margin
#: that the table's frequencies have.
DERATE = {"clock skew and jitter": 0.10, "wires and their repeaters": 0.10,
          "on-chip variation": 0.05}  # fmt: skip
#: Area of a chip's core over its blocks: channels between them and power straps. Assumed.
_CHANNELS = Cost(1.10, 1.05, 1.20)


@dataclass(frozen=True, slots=True)
class ChipEstimate:
    """Of a configuration on a node."""

    config: str
    node: str
    frequency_ghz: Cost
    limited_by: str
    macs: int
    parts: tuple[Part, ...]
    power: tuple[PowerLine, ...]
    activity: Activity
    tdp_w: Cost
    idle_w: Cost

    @property
    def area_mm2(self) -> Cost:
        """Of the core: blocks and the channels between them."""
        blocks = add_costs([part.area_mm2 for part in self.parts])
        return Cost(blocks.value * _CHANNELS.value, blocks.low * _CHANNELS.low,
                    blocks.high * _CHANNELS.high)  # fmt: skip

    @property
    def power_w(self) -> Cost:
        return add_costs([line.power_w for line in self.power])

    @property
    def peak_tops(self) -> float:
        """Dense, two operations per MAC."""
        return 2e-3 * self.macs * self.frequency_ghz.value


def _clock(config: ChipConfig, costs: NodeCosts) -> tuple[Cost, str]:
    """The slowest block's frequency, at the margin, and its name."""
    blocks = [element_block(config), "lane", "router", "load", "store", "frontend", "ingress",
              "endpoint", "control"]  # fmt: skip
    if config.tile.has_float:
        blocks += ["alu", "adder"]
    clocks = {block: costs.cost(block, "frequency_ghz") for block in blocks}
    slowest = min(clocks, key=lambda block: clocks[block].value)
    return clocks[slowest], slowest


def estimate_chip(
    config: ChipConfig, table: Mapping[str, UnitCost], node: str, utilisation: float = 0.7,
    format: str | None = None, activity: Activity | None = None,
) -> ChipEstimate:  # fmt: skip
    """The estimate, at ``utilisation`` of the arrays or the ``activity`` of a program. ``format``:
    what the arrays multiply (bf16 where they can, else int8).

    Raises
    ------
    ValueError
        if the table lacks a block, or utilisation is not from 0 to 1, or the format is not built
        in.
    """
    if not 0 <= utilisation <= 1:
        raise ValueError(f"utilisation must be from 0 to 1, not {utilisation}")
    assert math.isclose(sum(DERATE.values()), DEFAULT_MARGIN)
    costs = NodeCosts(table, node)
    parts = chip_parts(config, costs)
    clock, slowest = _clock(config, costs)
    chosen = format or ("bf16" if "bf16" in config.tile.formats else "int8")
    tile_mm = math.sqrt(tile_cost(parts, config.mesh.tiles).value * _CHANNELS.value)

    def power(rates: Activity) -> list[PowerLine]:
        return chip_power(config, costs, parts, clock.value, tile_mm, rates)

    rates = activity or activity_at(config, utilisation, chosen, hot=False)
    peak = activity_at(config, 1.0, chosen, hot=True)
    idle = activity_at(config, 0.0, chosen, hot=False)
    tdp, rest = (add_costs([line.power_w for line in power(r)]) for r in (peak, idle))
    return ChipEstimate(
        config.name, node, clock, slowest, config.peak_macs_per_cycle, tuple(parts),
        tuple(power(rates)), rates, tdp, rest,
    )  # fmt: skip
