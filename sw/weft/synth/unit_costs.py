"""The unit-cost table: measured, modelled and published costs, each with its range, where it comes
from, library and tools.

``weft synth --all`` makes it (``collect``); it is kept as ``data/unit_costs.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from importlib.resources import files
from pathlib import Path

__all__ = ["KINDS", "UnitCost", "default_table", "read_table", "write_table"]

#: measured: on mapped gates, pre-layout. modelled: a fit, an estimate or arithmetic on other rows.
#: published: read in the source named.
KINDS = ("measured", "modelled", "published")


@dataclass(frozen=True, slots=True)
class UnitCost:
    """One row. ``source`` is the command with the RTL's hash, the rows or the publication that it
    comes from."""

    key: str
    value: float
    low: float
    high: float
    unit: str
    kind: str
    source: str
    library: str = ""
    library_sha256: str = ""
    tools: str = ""


_FIELDS = tuple(field.name for field in fields(UnitCost))


def write_table(rows: Iterable[UnitCost], path: Path) -> None:
    """Writes the table; numbers to five significant digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_FIELDS)
        for row in rows:
            writer.writerow([f"{v:.5g}" if isinstance(v, float) else v for v in astuple(row)])
    part.rename(path)


def read_table(path: Path) -> dict[str, UnitCost]:
    """The table by key.

    Raises
    ------
    ValueError
        naming file and line: unknown or missing columns, a key that comes twice, a number that is
        none or outside its range, an unknown kind.
    """
    with path.open(newline="") as source:
        reader = csv.DictReader(source)
        if tuple(reader.fieldnames or ()) != _FIELDS:
            raise ValueError(
                f"{path}:1: columns must be {', '.join(_FIELDS)}, not {reader.fieldnames}"
            )
        table: dict[str, UnitCost] = {}
        for line, entry in enumerate(reader, start=2):
            try:
                value, low, high = (float(entry[name]) for name in ("value", "low", "high"))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}:{line}: value, low and high must be numbers") from error
            texts = {name: entry[name] for name in _FIELDS if name not in ("value", "low", "high")}
            row = UnitCost(value=value, low=low, high=high, **texts)
            if not row.low <= row.value <= row.high:
                raise ValueError(f"{path}:{line}: {row.key} must lie between low and high")
            if row.kind not in KINDS:
                raise ValueError(
                    f"{path}:{line}: kind must be one of {', '.join(KINDS)}, not {row.kind!r}"
                )
            if row.key in table:
                raise ValueError(f"{path}:{line}: {row.key} comes twice")
            table[row.key] = row
    return table


def default_table() -> dict[str, UnitCost]:
    """The table that comes with the project.

    Raises
    ------
    ValueError
        if it is damaged.
    """
    return read_table(Path(str(files("weft") / "data" / "unit_costs.csv")))
