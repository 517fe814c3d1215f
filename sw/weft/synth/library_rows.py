"""Rows of the unit-cost table that come from a library's files alone: flip-flops and memories."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from .liberty import parse_group, read_liberty
from .library import CellLibrary
from .memory_model import fit_memories, read_macros
from .nodes import Node
from .unit_costs import UnitCost

__all__ = ["flop_row", "memory_rows"]

#: Node -> the largest macro of its folder, of which only the area counts.
_MACROS = {"nangate45": "nangate45/fakeram45_2048x39.lib", "asap7": "asap7/fakeram7_2048x39.lib"}


def _macro_density(pdk: Path) -> list[UnitCost]:
    rows = []
    for node, name in _MACROS.items():
        path = pdk / name
        if not path.is_file():
            continue
        file = read_liberty(path)
        cell = parse_group(next(iter(file.cells.values())), str(path))
        words, width = map(int, re.findall(r"(\d+)x(\d+)", path.stem)[-1])
        bit = float(cell.attributes["area"]) / (words * width)
        rows.append(
            UnitCost(
                f"synth.{node}.sram.area_um2_per_bit", bit, bit * 0.8, bit * 1.5, "um2/bit",
                "modelled", f"area of the black-box macro {path.stem}; range assumed", node,
                file.sha256, "weft.synth.library_rows",
            )
        )  # fmt: skip
    return rows


def flop_row(library: CellLibrary, node: Node) -> UnitCost:
    """Area of the smallest flip-flop of a library, at the utilisation of the other areas."""
    avoid = set(library.dont_use)
    names = [n for n in library.cell_names if n not in avoid and library.has_flip_flop(n)]
    area, name = min((library.cell(n).area_um2, n) for n in names)
    return UnitCost(
        f"synth.{node.name}.flop.area_um2", area / 0.7, area / 0.8, area / 0.6, "um2", "measured",
        f"cell {name} of {area:.4g} um2 at 70 % (60 to 80 %) utilisation", node.name,
        library.sha256, "weft.synth.library_rows",
    )  # fmt: skip


@cache
def memory_rows(pdk: Path) -> list[UnitCost]:
    """Rows of the memory model fitted to the macros of a folder of libraries; none without
    macros."""
    macros = read_macros(sorted((pdk / "ihp-sg13g2").glob("RM_IHPSG13_1P_*.lib*")))
    if not macros:
        return []
    fit = fit_memories(macros)
    sha = ",".join(macro.sha256[:8] for macro in macros)
    rows = []

    def row(key: str, value: float, error: float, unit: str, what: str) -> None:
        source = f"fit to {len(macros)} IHP macros with power, {what}; range: error of one left out"
        low, high = value * (1 - error), value * (1 + error)
        rows.append(
            UnitCost(
                f"synth.ihp130.{key}", value, low, high, unit, "modelled", source, "ihp130", sha,
                "weft.synth.memory_model",
            )
        )  # fmt: skip

    for name, words, width in (("8_kib", 1024, 64), ("4_kib_row", 256, 128)):
        for kind, value in (
            ("read", fit.read_pj(words, width)),
            ("write", fit.write_pj(words, width)),
        ):
            per_byte = value / (width / 8)
            error = fit.left_out_error[kind]
            row(f"sram_{name}.{kind}_pj_per_byte", per_byte, error, "pJ/byte", f"{words} x {width}")
    bit = fit.area_um2(2048, 64) / (2048 * 64)
    row("sram.area_um2_per_bit", bit, fit.left_out_error["area"], "um2/bit", "2048 x 64")
    rows += _macro_density(pdk)
    row("sram.leakage_nw_per_bit", fit.leakage_nw_per_bit, 0.5, "nW/bit", "median of macros")
    return rows
