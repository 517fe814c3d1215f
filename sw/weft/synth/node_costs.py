"""Costs of a block on any node: its row of the table where it was measured, else the nearest
library's row taken along the ladder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .estimates import CORNERS
from .ladder import ANCHORS, Ladder
from .unit_costs import UnitCost

__all__ = ["SCALED_NODES", "Cost", "NodeCosts", "add_costs", "node_names"]

#: Nodes that no library stands for -> nm.
SCALED_NODES = {"n28": 28.0, "n22": 22.0, "n16": 16.0, "n5": 5.0, "n4": 4.0, "n3e": 3.0, "n2": 2.0}
#: Libraries that every block is measured on; a node takes the one on its side.
_FINE, _COARSE, _FINE_BELOW_NM = "asap7", "nangate45", 10.0
_LIBRARIES = {**ANCHORS, "gt2n_lvt": 2.0}


@dataclass(frozen=True, slots=True)
class Cost:
    """A number with its range."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Cost:
        """Scaled by a positive number."""
        return Cost(self.value * factor, self.low * factor, self.high * factor)


def add_costs(costs: list[Cost]) -> Cost:
    """Their sum; ranges add too, as what is uncertain in one is in all."""
    return Cost(*(sum(getattr(c, name) for c in costs) for name in ("value", "low", "high")))


def node_names() -> str:
    """For messages."""
    return ", ".join([*_LIBRARIES, *SCALED_NODES])


def _quantity(name: str) -> str:
    """The ladder's quantity that a row moves along."""
    if name.startswith("sram"):
        return "sram_area" if "um2" in name else "sram_energy"
    if name.startswith("energy_fj"):
        return "energy"
    return {"area_um2": "area", "frequency_ghz": "speed", "leakage_nw": "leakage"}.get(name, "")


class NodeCosts:
    """Costs on one node.

    Raises
    ------
    ValueError
        for an unknown node, or (``cost``) a block that was measured on no library.
    """

    def __init__(self, table: Mapping[str, UnitCost], node: str) -> None:
        nm = _LIBRARIES.get(node, SCALED_NODES.get(node))
        if nm is None:
            raise ValueError(f"node must be among {node_names()}, not {node!r}")
        self.table, self.node, self.nm = table, node, nm
        self.ladder = Ladder(table)

    def cost(self, block: str, name: str) -> Cost:
        """A row of a block (``area_um2``, ``energy_fj.idle``), scaled if it must be."""
        here = self.table.get(f"synth.{self.node}.{block}.{name}")
        if here is not None:
            return Cost(here.value, here.low, here.high)
        order = (_FINE, _COARSE) if self.nm < _FINE_BELOW_NM else (_COARSE, _FINE)
        for library in order:
            row = self.table.get(f"synth.{library}.{block}.{name}")
            if row is None:
                continue
            quantity = _quantity(name if block != "sram" else f"sram.{name}")
            if not quantity:
                return Cost(row.value, row.low, row.high)
            factor = self.ladder.factor(quantity, ANCHORS[library], self.nm)
            return Cost(row.value * factor.value, row.low * factor.low, row.high * factor.high)
        raise ValueError(
            f"the table has no {block}.{name}: measure it with weft synth --all --pdk DIR"
        )

    def has(self, block: str, name: str) -> bool:
        """Whether ``cost`` has it."""
        return any(
            f"synth.{lib}.{block}.{name}" in self.table for lib in (self.node, _FINE, _COARSE)
        )

    def sram_pj_per_byte(self) -> Cost:
        """A read or a write of local memory: the published 7 nm figure along the ladder."""
        row = self.table["published.7nm.sram_pj_per_byte"]
        factor = self.ladder.factor("sram_energy", 7.0, self.nm)
        return Cost(row.value * factor.value, row.low * factor.low, row.high * factor.high)

    def wire_fj_per_bit_mm(self) -> Cost:
        """A random bit over a millimetre: C V² / 4 of the wire (``estimates``; 1 fF/um is 1 pF/mm)
        and repeaters of equal capacitance (low: none). Energy per length falls only with the
        supply."""
        volt = 1.1 if self.nm >= 40 else 0.9 if self.nm > 20 else 0.8 if self.nm > 10 else 0.7
        quarter = volt**2 / 4 * 1e3
        value, low, high = (
            CORNERS[name].capacitance_ff_per_um * quarter for name in ("value", "low", "high")
        )
        return Cost(2 * value, low, 2 * high)
