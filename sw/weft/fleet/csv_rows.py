"""Rows of a CSV file as dataclasses: columns are the fields, numbers where a field is a float."""

import csv
import math
from dataclasses import Field, fields
from typing import Any, ClassVar, Protocol, TypeVar

from weft.fleet.errors import FleetError

__all__ = ["read_rows"]


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Row = TypeVar("Row", bound=_Dataclass)


def read_rows(kind: type[Row], text: str, name: str) -> list[Row]:
    """One `kind`, a dataclass of strings and floats, for each line; an empty number is NaN.

    Raises
    ------
    FleetError
        naming file and line, for columns that are not the fields, and numbers that are none.
    """
    reader = csv.DictReader(text.splitlines())
    columns = {field.name: field.type for field in fields(kind)}
    if tuple(reader.fieldnames or ()) != tuple(columns):
        raise FleetError(
            f"{name}:1: columns must be {', '.join(columns)}, "
            f"not {', '.join(reader.fieldnames or ())}"
        )
    rows = []
    for line, row in enumerate(reader, 2):
        values: dict[str, Any] = {}
        for column, wanted in columns.items():
            cell = row[column]
            try:
                values[column] = (float(cell) if cell else math.nan) if wanted is float else cell
            except ValueError:
                raise FleetError(
                    f"{name}:{line}: {column} must be a number, not {cell!r}"
                ) from None
        rows.append(kind(**values))
    return rows
