"""Units of a Liberty file and its tables, in ps, fF, nW and fJ."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from .errors import LibertyError
from .liberty import Group

__all__ = ["Table", "Units"]

_PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
_QUANTITY = re.compile(r"\s*([\d.eE+-]*?)\s*([fpnumk]?)(s|V|A|W|f|F|ohm)\s*$", re.IGNORECASE)


def _scale(text: str) -> float:
    match = _QUANTITY.match(text)
    if not match:
        raise LibertyError(f"unit {text!r} is not understood; write it as 1ns, 1pW or 1V")
    return float(match.group(1) or 1) * _PREFIX[match.group(2).lower()]


@dataclass(frozen=True, slots=True)
class Units:
    """Factors from a file's units to ps, fF, nW and fJ."""

    time_ps: float
    load_ff: float
    leakage_nw: float
    energy_fj: float
    voltage_v: float

    @classmethod
    def of(cls, header: Group) -> Units:
        """From a library's header."""
        attributes = header.attributes
        load = header.complex.get("capacitive_load_unit", [("1", "pf")])[0]
        load_f = float(load[0]) * _PREFIX[load[1].lower().removesuffix("f")]
        volt = _scale(attributes.get("voltage_unit", "1V"))
        if "nom_voltage" not in attributes:
            raise LibertyError(f"library {header.arguments} has no nom_voltage")
        return cls(
            time_ps=_scale(attributes.get("time_unit", "1ns")) * 1e12,
            load_ff=load_f * 1e15,
            leakage_nw=_scale(attributes.get("leakage_power_unit", "1nW")) * 1e9,
            energy_fj=load_f * volt**2 * 1e15,
            voltage_v=float(attributes["nom_voltage"]) * volt,
        )


@dataclass(frozen=True, slots=True)
class Table:
    """A table over input transition (ps) and output load (fF), bilinear, extrapolated at its
    edges."""

    slews_ps: np.ndarray
    loads_ff: np.ndarray
    values: np.ndarray
    """(slews, loads)"""

    def at(self, slew_ps: float, load_ff: float) -> float:
        """The interpolated value."""
        row, row_part = _locate(self.slews_ps, slew_ps)
        column, part = _locate(self.loads_ff, load_ff)
        corner = self.values[row : row + 2, column : column + 2]
        if corner.shape[1] == 1:
            corner = np.repeat(corner, 2, axis=1)
        if corner.shape[0] == 1:
            corner = np.repeat(corner, 2, axis=0)
        low = corner[0, 0] + part * (corner[0, 1] - corner[0, 0])
        high = corner[1, 0] + part * (corner[1, 1] - corner[1, 0])
        return float(low + row_part * (high - low))


def _locate(axis: np.ndarray, value: float) -> tuple[int, float]:
    if len(axis) == 1:
        return 0, 0.0
    index = int(np.clip(np.searchsorted(axis, value) - 1, 0, len(axis) - 2))
    return index, float((value - axis[index]) / (axis[index + 1] - axis[index]))
