"""Units of a Liberty file and its tables, in ps, fF, nW and fJ."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field

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
    _lists: tuple[list[float], list[float], list[list[float]]] = field(
        init=False, repr=False, compare=False
    )
    """The same as plain numbers, which a look-up of four of them is ten times as fast in."""

    def __post_init__(self) -> None:
        lists = (self.slews_ps.tolist(), self.loads_ff.tolist(), self.values.tolist())
        object.__setattr__(self, "_lists", lists)

    def at(self, slew_ps: float, load_ff: float) -> float:
        """The interpolated value."""
        slews, loads, values = self._lists
        row, row_part = _locate(slews, float(slew_ps))
        column, part = _locate(loads, float(load_ff))
        upper, lower = values[row], values[min(row + 1, len(values) - 1)]
        following = min(column + 1, len(upper) - 1)
        low = upper[column] + part * (upper[following] - upper[column])
        high = lower[column] + part * (lower[following] - lower[column])
        return low + row_part * (high - low)


def _locate(axis: list[float], value: float) -> tuple[int, float]:
    if len(axis) == 1:
        return 0, 0.0
    index = min(max(bisect_left(axis, value) - 1, 0), len(axis) - 2)
    return index, (value - axis[index]) / (axis[index + 1] - axis[index])
