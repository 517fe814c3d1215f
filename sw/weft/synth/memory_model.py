"""Energy and area of SRAM macros: a model fitted to real ones, and published figures where there
are none with power.

Model, for ``words`` words of ``width`` bits, ``mux`` columns to a bit: ``energy = e0 + width (e1 +
e2 mux sqrt(words / mux))``,
``area = a0 + a1 width + a2 words width``. Every access moves ``width x mux`` pairs of bit lines.
Fitted by least squares on relative error; the error that counts is that of a
macro left out of the fit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import LibertyError
from .liberty import Group, parse_group, read_liberty

__all__ = ["Macro", "MemoryFit", "fit_memories", "read_macros"]


@dataclass(frozen=True, slots=True)
class Macro:
    """An SRAM macro as its Liberty file describes it."""

    name: str
    words: int
    width: int
    mux: int
    area_um2: float
    leakage_nw: float
    read_pj: float
    write_pj: float
    sha256: str


@dataclass(frozen=True, slots=True)
class MemoryFit:
    """Coefficients and how well macros left out are predicted."""

    read: np.ndarray
    write: np.ndarray
    area: np.ndarray
    leakage_nw_per_bit: float
    left_out_error: dict[str, float]
    """quantity -> largest relative error of a macro left out"""

    def read_pj(self, words: int, width: int, mux: int = 4) -> float:
        """One read of a whole word."""
        return float(_energy_terms(words, width, mux) @ self.read)

    def write_pj(self, words: int, width: int, mux: int = 4) -> float:
        """One write of a whole word."""
        return float(_energy_terms(words, width, mux) @ self.write)

    def area_um2(self, words: int, width: int) -> float:
        """Of the macro."""
        return float(_area_terms(words, width) @ self.area)


def _energy_terms(words: int, width: int, mux: int) -> np.ndarray:
    return np.array([1.0, width, width * mux * np.sqrt(words / mux)])


def _area_terms(words: int, width: int) -> np.ndarray:
    return np.array([1.0, width, width * words])


def _clock_energies(cell: Group, unit_pj: float) -> tuple[float, float] | None:
    """(read, write) from the clock pin's conditions: enabled and reading, enabled and writing."""
    clock = next((pin for pin in cell.all("pin") if pin.arguments[0] == "A_CLK"), None)
    if clock is None:
        return None
    found: dict[str, float] = {}
    for power in clock.all("internal_power"):
        when = re.sub(r"\s", "", power.attributes.get("when", ""))
        for kind, condition in (("read", "A_MEN&!A_WEN&A_REN"), ("write", "A_MEN&A_WEN&!A_REN")):
            if when == condition:
                edges = [power.first("rise_power"), power.first("fall_power")]
                values = [float(e.complex["values"][0][0]) for e in edges if e is not None]
                found[kind] = sum(values) * unit_pj
    return (found["read"], found["write"]) if len(found) == 2 else None


def read_macros(paths: Sequence[Path]) -> list[Macro]:
    """Macros whose files have power by kind of access; the others are left out.

    Raises
    ------
    LibertyError
        if a file does not parse.
    """
    macros = []
    for path in paths:
        file = read_liberty(path)
        for name, text in file.cells.items():
            cell = parse_group(text, f"cell {name} of {path}")
            size = re.search(r"_(\d+)x(\d+)_", name + "_")
            columns = re.search(r"_c(\d)_", name)
            energies = _clock_energies(cell, 1.0)
            if size is None or energies is None:
                continue
            # unit: capacitive_load_unit x voltage_unit² = 1 pF x 1 V² = 1 pJ, as the files say
            # themselves
            macros.append(
                Macro(
                    name=name,
                    words=int(size.group(1)),
                    width=int(size.group(2)),
                    mux=2 ** int(columns.group(1)) if columns else 4,
                    area_um2=float(cell.attributes["area"]),
                    leakage_nw=float(cell.attributes.get("cell_leakage_power", 0)),
                    read_pj=energies[0],
                    write_pj=energies[1],
                    sha256=file.sha256,
                )
            )
    return macros


def _solve(terms: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.lstsq(terms / values[:, None], np.ones(len(values)), rcond=None)[0])


def fit_memories(macros: Sequence[Macro]) -> MemoryFit:
    """Fits the model.

    Raises
    ------
    LibertyError
        for fewer than five macros with power.
    """
    if len(macros) < 5:
        raise LibertyError(f"a memory model needs at least 5 macros with power, not {len(macros)}")
    energy = np.array([_energy_terms(m.words, m.width, m.mux) for m in macros])
    area = np.array([_area_terms(m.words, m.width) for m in macros])
    data = {
        "read": (energy, np.array([m.read_pj for m in macros])),
        "write": (energy, np.array([m.write_pj for m in macros])),
        "area": (area, np.array([m.area_um2 for m in macros])),
    }
    errors = {}
    for name, (terms, values) in data.items():
        worst = 0.0
        for index in range(len(macros)):
            keep = np.arange(len(macros)) != index
            predicted = float(terms[index] @ _solve(terms[keep], values[keep]))
            worst = max(worst, abs(predicted / values[index] - 1))
        errors[name] = float(worst)
    bits = np.array([m.words * m.width for m in macros])
    return MemoryFit(
        read=_solve(*data["read"]),
        write=_solve(*data["write"]),
        area=_solve(*data["area"]),
        leakage_nw_per_bit=float(np.median([m.leakage_nw for m in macros] / bits)),
        left_out_error=errors,
    )
