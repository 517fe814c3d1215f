"""Reads the measured tables; another folder with the same file names may replace the package's."""

import csv
from importlib import resources
from pathlib import Path

from weft.fleet.errors import FleetError

__all__ = ["role_of", "rows_of"]


def _folder() -> Path:
    return Path(str(resources.files("weft.fleet") / "data" / "tables"))


def rows_of(name: str, folder: Path | None = None) -> list[dict[str, str]]:
    """Rows of `<name>.csv`; unconfirmed rows are left out, they are no truth.

    An absent file of another folder gives no rows.
    """
    path = (folder or _folder()) / f"{name}.csv"
    if not path.exists():
        if folder is None:
            raise FleetError(f"{path.name} is missing from the package's tables")
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [r for r in rows if "unconfirmed" not in r.get("confidence", "")]


def role_of(folder: Path | None, fit: bool) -> str:
    """`fit` only for the package's own rows; anything from another folder is a hold-out."""
    return "fit" if fit and folder is None else "hold-out"
