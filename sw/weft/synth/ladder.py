"""The ladder of nodes: logic, SRAM, wires and leakage from node to node, each on its own.

Measured: our int8 PE on five generations of libraries (180, 130, 45, 7, 2 nm). Between them a
quantity is interpolated: its logarithm is linear in that of the node's name. Published: foundry
claims below 7 nm and the energy tables at 45 and 7 nm. Below 7 nm measured interpolation and claims
disagree; a factor there is their geometric mean and its band holds both.

Nothing is adjusted to agree: ``compare`` says by how much measured and published differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .unit_costs import UnitCost

__all__ = [
    "ANCHORS",
    "LADDER",
    "Comparison",
    "Factor",
    "Ladder",
    "compare",
    "stillmaker_energy_factor",
]

#: Library -> node, nm. Two libraries of one node count by their geometric mean.
ANCHORS = {
    "osu018": 180.0, "sky130hd": 130.0, "ihp130": 130.0, "nangate45": 45.0, "asap7": 7.0,
    "gt2n_svt": 2.0,
}  # fmt: skip
#: Quantity of the ladder -> row of the int8 PE that carries it.
LADDER = {
    "energy": "pe.energy_fj.int8_digits_held",
    "area": "pe.area_um2",
    "speed": "pe.frequency_ghz",
    "leakage": "pe.leakage_nw",
    "sram_area": "sram.area_um2_per_bit",
}
#: Foundry steps from 7 nm whose claims the table has -> nm.
_CLAIMS = {"n5": 5.0, "n3e": 3.0, "n2": 2.0}
_SRAM_ENERGY = {130.0: "synth.ihp130.sram_8_kib.read_pj_per_byte",
                45.0: "published.45nm.sram_pj_per_byte",
                7.0: "published.7nm.sram_pj_per_byte"}  # fmt: skip
#: SRAM energy per byte hardly falls with the node: below 7 nm it may stay or fall by a quarter
#: (45 to 7 nm: 1.3 x for 8 KB).
_SRAM_ENERGY_BELOW_7 = (0.9, 0.75, 1.0)
#: Cells' leakage depends on the thresholds chosen more than on the node.
_LEAKAGE_SPREAD = 3.0


@dataclass(frozen=True, slots=True)
class Factor:
    """What a quantity is multiplied by from one node to another."""

    value: float
    low: float
    high: float
    why: str


def _interpolated(points: Mapping[float, float], nm: float) -> float:
    """Log-log, along the outermost segment beyond the ends."""
    nodes = sorted(points)
    if len(nodes) < 2:
        raise ValueError(f"the ladder needs two measured nodes, not {len(nodes)}")
    upper = next((i for i in range(1, len(nodes)) if nodes[i] >= nm), len(nodes) - 1)
    left, right = nodes[upper - 1], nodes[upper]
    share = math.log(nm / left) / math.log(right / left)
    return math.exp(math.log(points[left]) * (1 - share) + math.log(points[right]) * share)


class Ladder:
    """Factors between nodes from a table of unit costs.

    Raises
    ------
    ValueError
        (``factor``) for an unknown quantity, or one measured on fewer than two nodes.
    """

    def __init__(self, table: Mapping[str, UnitCost]) -> None:
        self._table = table
        self.points: dict[str, dict[float, float]] = {}
        for quantity, row in LADDER.items():
            by_node: dict[float, list[float]] = {}
            for library, nm in ANCHORS.items():
                key = f"synth.{library}.{row}"
                if key in table:
                    by_node.setdefault(nm, []).append(table[key].value)
            self.points[quantity] = {
                nm: math.exp(sum(map(math.log, values)) / len(values))
                for nm, values in by_node.items()
            }
        self.points["sram_energy"] = {
            nm: table[key].value for nm, key in _SRAM_ENERGY.items() if key in table
        }

    def measured(self, quantity: str, from_nm: float, to_nm: float) -> float:
        """Interpolated between measured nodes."""
        if quantity not in self.points:
            known = ", ".join(self.points)
            raise ValueError(f"quantity of the ladder must be one of {known}, not {quantity!r}")
        points = self.points[quantity]
        return _interpolated(points, to_nm) / _interpolated(points, from_nm)

    def factor(self, quantity: str, from_nm: float, to_nm: float) -> Factor:
        """From a node to another, with its band."""
        if from_nm == to_nm:
            return Factor(1.0, 1.0, 1.0, "the same node")
        if quantity.startswith("sram") and to_nm < 7.0 <= from_nm:
            above = self.factor(quantity, from_nm, 7.0)
            value, low, high = self._sram_below_7(quantity)
            return Factor(
                above.value * value, above.low * low, above.high * high,
                f"SRAM from {from_nm:g} to {to_nm:g} nm: published, cells have stopped shrinking",
            )  # fmt: skip
        measured = self.measured(quantity, from_nm, to_nm)
        if quantity == "leakage":
            spread = _LEAKAGE_SPREAD
            return Factor(measured, measured / spread, measured * spread, "measured libraries")
        if from_nm == 7.0 and to_nm < 7.0:
            claim = self._claim(quantity, to_nm)
            value = math.sqrt(measured * claim.value)
            low, high = min(measured, claim.low), max(measured, claim.high)
            return Factor(
                value, low, high,
                f"between measured {measured:.2f} x and claimed {claim.value:.2f} x",
            )  # fmt: skip
        # interpolation errors grow with the gap between measured nodes: 45 to 7 nm is the widest
        return Factor(measured, measured / 1.3, measured * 1.3, "interpolated, 30 % assumed")

    def _sram_below_7(self, quantity: str) -> tuple[float, float, float]:
        if quantity == "sram_energy":
            return _SRAM_ENERGY_BELOW_7
        published, here = self._table["published.n5.sram_um2_per_bit"], self.points["sram_area"]
        at_7 = here[7.0]
        return published.value / at_7, published.low / at_7, published.high / at_7

    def _claim(self, quantity: str, nm: float) -> Factor:
        """Foundry claims from 7 nm, interpolated between the steps that have one."""
        rows = {
            step: self._table[f"published.factor.n7_to_{name}.{quantity}"]
            for name, step in _CLAIMS.items()
        }
        value, low, high = (
            _interpolated(
                {7.0: 1.0, **{step: getattr(row, name) for step, row in rows.items()}}, nm
            )
            for name in ("value", "low", "high")
        )
        return Factor(value, low, high, "foundry claims")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A factor (older over newer) that we measure beside one that was published."""

    what: str
    measured: float
    published: float
    low: float
    high: float
    source: str

    @property
    def disagreement(self) -> float:
        """Measured over published, minus one."""
        return self.measured / self.published - 1

    @property
    def inside(self) -> bool:
        """Whether the measured factor is in the published range."""
        return self.low <= self.measured <= self.high


def compare(table: Mapping[str, UnitCost]) -> list[Comparison]:
    """Every published factor whose two nodes the table has measured."""
    ladder = Ladder(table)
    found = []

    def add(
        what: str, measured: float, published: float, low: float, high: float, why: str
    ) -> None:
        found.append(Comparison(what, measured, published, low, high, why))

    energy, area, speed = (ladder.points[name] for name in ("energy", "area", "speed"))
    if {45.0, 7.0} <= set(energy):
        mac = energy[45.0] / energy[7.0]
        tables = "Horowitz, ISSCC 2014, over Jouppi et al., ISCA 2021, table 2"
        parts = [table[f"published.{nm}nm.{op}_pj"].value
                 for nm in (45, 7) for op in ("int8_multiply", "int32_add")]  # fmt: skip
        add("energy of an int8 MAC, 45 to 7 nm", mac, sum(parts[:2]) / sum(parts[2:]),
            parts[0] / parts[2], parts[1] / parts[3], f"multiply and add: {tables}")  # fmt: skip
        add("energy, 45 to 7 nm, against the multiply alone", mac, parts[0] / parts[2], 2.6, 3.1,
            tables)  # fmt: skip
    claims = {"energy": energy, "area": area}
    for name, points in claims.items():
        if {7.0, 2.0} <= set(points):
            row = table[f"published.factor.n7_to_n2.{name}"]
            add(f"{name} of an int8 MAC, 7 to 2 nm", points[7.0] / points[2.0], 1 / row.value,
                1 / row.high, 1 / row.low, row.source)  # fmt: skip
    if {7.0, 2.0} <= set(speed):
        row = table["published.factor.n7_to_n2.speed"]
        add("speed of an int8 MAC, 2 over 7 nm", speed[2.0] / speed[7.0], row.value, row.low,
            row.high, row.source)  # fmt: skip
    return found


def stillmaker_energy_factor(voltage_v: float, coefficients: tuple[float, float, float]) -> float:
    """Energy factor ``a V² + b V + c`` of Stillmaker & Baas, "Scaling equations for the accurate
    prediction of CMOS device performance from 180 nm to 7 nm", Integration 58, 2017, as corrected
    by its erratum."""
    a, b, c = coefficients
    return a * voltage_v**2 + b * voltage_v + c
