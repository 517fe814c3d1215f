"""The area and power model against chips that were built: every row shown, none fitted.

The model has processing elements and memories with the unit costs of the chip's node; a chip's
interfaces, vector units, processors and wires between blocks are not in it. Power goes with the
square of the supply. What each row covers is said with it: where published and modelled cover the
same, they should agree; where the whole die is published, the error is what a sum of arrays and
memories leaves out.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from .chip_power import HOT_LEAKAGE, REAL_DATA
from .node_costs import Cost, NodeCosts, add_costs
from .unit_costs import UnitCost

__all__ = ["TARGET", "Backtest", "backtests", "built_chips"]

#: Error that the model should stay within.
TARGET = 0.3
#: Bytes of local memory that move for a MAC of an int8 array of 256 columns or so: a byte of
#: activations for each row of the array, an accumulator read and written for each column.
_BYTES_PER_MAC = (1 + 8) / 128


@dataclass(frozen=True, slots=True)
class BuiltChip:
    """A published figure of a chip, and what of the chip it covers. ``float_macs`` are elements
    for floating point beside the ``macs``, fewer where its peak is lower; they idle, clocked, while
    the others work."""

    chip: str
    node: str
    clock_ghz: float
    element: str
    format: str
    macs: int
    float_macs: int
    sram_kib: int
    busy: float
    volts_over_nominal: float
    quantity: str
    published: float
    unit: str
    covers: str
    source: str


@dataclass(frozen=True, slots=True)
class Backtest:
    """A published figure beside the model's."""

    chip: BuiltChip
    modelled: Cost

    @property
    def error(self) -> float:
        """Modelled over published, minus one."""
        return self.modelled.value / self.chip.published - 1

    @property
    def inside(self) -> bool:
        """Within the target."""
        return abs(self.error) <= TARGET


def built_chips() -> list[BuiltChip]:
    """The chips that come with the project.

    Raises
    ------
    ValueError
        naming the line of a damaged row.
    """
    floats = ("clock_ghz", "busy", "volts_over_nominal", "published")
    integers = ("macs", "float_macs", "sram_kib")
    numbers = {**dict.fromkeys(floats, float), **dict.fromkeys(integers, int)}
    chips = []
    text = (files("weft") / "data" / "built_chips.csv").read_text()
    for line, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        try:
            values = {name: numbers.get(name, str)(value) for name, value in row.items()}
            chips.append(BuiltChip(**values))
        except (TypeError, ValueError) as error:
            raise ValueError(f"built_chips.csv:{line}: {error}") from error
    return chips


def backtests(table: Mapping[str, UnitCost]) -> list[Backtest]:
    """The model's figure for every row.

    Raises
    ------
    ValueError
        if the table lacks a block that a chip needs.
    """
    return [Backtest(chip, _modelled(chip, NodeCosts(table, chip.node))) for chip in built_chips()]


def _modelled(chip: BuiltChip, costs: NodeCosts) -> Cost:
    element_area = costs.cost(chip.element, "area_um2")
    areas = [element_area.times(chip.macs * 1e-6)] if chip.macs else []
    if chip.float_macs:
        areas.append(costs.cost("pe_float", "area_um2").times(chip.float_macs * 1e-6))
    if chip.sram_kib:
        bits = chip.sram_kib * 8192
        areas.append(costs.cost("sram", "area_um2_per_bit").times(bits * 1e-6))
    area = add_costs(areas)
    if chip.quantity == "area":
        return area
    zeros = "bf16_zeros_held" if chip.element == "pe_float" else "int8_zeros_held"
    rate = chip.macs * chip.clock_ghz * 1e-6
    leakage = costs.cost(chip.element, "leakage_nw").times(1 / element_area.value)
    parts = [
        costs.cost(chip.element, f"energy_fj.{REAL_DATA[chip.format]}").times(rate * chip.busy),
        costs.cost(chip.element, f"energy_fj.{zeros}").times(rate * (1 - chip.busy)),
        leakage.times(area.value * 1e-3 * HOT_LEAKAGE),
    ]
    if chip.float_macs:
        clock = costs.cost("pe_float", "energy_fj.bf16_zeros_held")
        parts.append(clock.times(chip.float_macs * chip.clock_ghz * 1e-6))
    if chip.sram_kib:
        sram = costs.sram_pj_per_byte().times(1e3)
        parts.append(sram.times(rate * chip.busy * _BYTES_PER_MAC))
    return add_costs(parts).times(chip.volts_over_nominal**2)
