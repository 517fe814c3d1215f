"""Collects the tables of every part of the fleet model and prints them.

A sub-package joins by having a module `weft.fleet.<name>.validation` with a function
`tables(constants, folder) -> list[Table]`.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

import weft.fleet
from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError
from weft.fleet.validate import collectives, gemm, llama3_run, ops, training
from weft.fleet.validate.table import Table

__all__ = ["as_dict", "collect", "render"]

OWN = (gemm, ops, collectives, training, llama3_run)


def collect(constants: Constants | None = None, folder: Path | None = None) -> list[Table]:
    """All tables, evaluated with one frozen constant set.

    `folder` replaces the package's tables by files of the same names and columns; every row of such
    a folder is a hold-out.
    """
    if folder is not None and not folder.is_dir():
        raise FleetError(f"{folder} is not a folder with validation tables")
    c = constants if constants is not None else default_constants()
    found: list[Table] = []
    for module in OWN:
        found += module.tables(c, folder)
    for package in pkgutil.iter_modules(weft.fleet.__path__):
        name = f"weft.fleet.{package.name}"
        if package.ispkg and importlib.util.find_spec(f"{name}.validation"):
            found += importlib.import_module(f"{name}.validation").tables(c, folder)
    if not found:
        raise FleetError(f"{folder} holds no table that weft validate knows")
    return found


def _stats(errors: np.ndarray) -> dict[str, float] | None:
    if not errors.size:
        return None
    return {"mean": float(errors.mean()), "max": float(errors.max()), "rows": int(errors.size)}


def as_dict(tables: Sequence[Table]) -> dict[str, object]:
    """A JSON-ready object: tables with rows and statistics, and the overall band coverage."""
    held = [r.inside for t in tables for r in t.rows if r.role == "hold-out"]
    return {
        "tables": [
            {
                **{k: v for k, v in asdict(t).items() if k not in ("rows", "residual")},
                "notes": list(t.notes),
                "passed": t.passed,
                "all": _stats(t.errors()),
                "fit": _stats(t.errors("fit")),
                "hold_out": _stats(t.errors("hold-out")),
                "baseline": _stats(t.errors(baseline=True)),
                "coverage_hold_out": t.coverage("hold-out"),
                "rows": [{**asdict(r), "inside": r.inside} for r in t.rows],
            }
            for t in tables
        ],
        "coverage_hold_out": float(np.mean(held)) if held else None,
        "rows_hold_out": len(held),
    }


def render(tables: Sequence[Table], *, rows: bool = False) -> str:
    """Text: one line per table (and one per row with `rows`)."""
    lines = [
        "modelled against published or measured; one frozen constant set for all rows; "
        "error = modelled / measured - 1",
        "",
        f"{'table':22} {'rows':>4} {'mean':>7} {'max':>7}  {'hold-out':>16}  {'baseline':>16}"
        f"  {'band':>5}  target",
    ]
    for t in tables:

        def show(value: float, table: Table = t) -> str:
            return f"{value:.2f}" if table.absolute else f"{value:.1%}"

        def pair(errors: np.ndarray, table: Table = t) -> str:
            if not errors.size:
                return "-"
            return f"{show(errors.mean(), table)} / {show(errors.max(), table)}"

        target = "/".join("-" if x is None else show(x) for x in (t.target_mean, t.target_max))
        verdict = {True: "met", False: "MISSED", None: ""}[t.passed]
        cover = t.coverage("hold-out")
        e = t.errors()
        lines.append(
            f"{t.key:22} {len(t.rows):4d} {show(e.mean()):>7} {show(e.max()):>7}  "
            f"{pair(t.errors('hold-out')):>16}  {pair(t.errors(baseline=True)):>16}  "
            f"{'-' if cover is None else f'{cover:.0%}':>5}  {target} {verdict}"
        )
        if rows:
            for r in t.rows:
                lines.append(
                    f"    {r.name[:44]:44} {r.measured:>10.4g} {r.predicted:>10.4g} "
                    f"[{r.p5:.4g} .. {r.p95:.4g}] {show(r.error):>8}  {r.role}"
                )
    held = [r.inside for t in tables for r in t.rows if r.role == "hold-out"]
    if held:
        lines += [
            "",
            f"90 % bands hold {np.mean(held):.0%} of {len(held)} rows not used for fitting "
            "(target 85-95 %)",
        ]
    lines += [f"{t.key}: {note}" for t in tables for note in t.notes]
    lines += [f"baseline of {t.key}: {t.baseline_name}" for t in tables]
    return "\n".join(lines)
