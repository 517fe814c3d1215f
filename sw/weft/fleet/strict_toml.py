"""TOML with a schema: an unknown, missing or wrongly typed key is an error with file and line."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weft.fleet.errors import FleetError

__all__ = ["Field", "load", "loads"]

Field = tuple[tuple[type, ...], bool]
"""(accepted types, required). A schema maps keys to a `Field` or to a nested schema (a table)."""

Schema = Mapping[str, "Field | Schema"]


def _line_of(text: str, path: tuple[str, ...]) -> int:
    """Line where a key (or its table) is written; 1 if it cannot be found."""
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        if head:
            table = head.group(1)
            if table == ".".join(path):
                return number
            continue
        key = re.match(r"\s*([A-Za-z0-9_.\-\"]+)\s*=", line)
        if key:
            full = tuple(p for p in (*table.split("."), *key.group(1).split(".")) if p)
            if tuple(p.strip('"') for p in full)[: len(path)] == path:
                return number
    return 1


def _check(
    data: Mapping[str, Any], schema: Schema, text: str, name: str, at: tuple[str, ...]
) -> None:
    for key, value in data.items():
        path = (*at, key)
        where = f"{name}:{_line_of(text, path)}"
        if key not in schema:
            near = difflib.get_close_matches(key, schema, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(schema))}"
            raise FleetError(f"{where}: unknown key {'.'.join(path)!r}; {hint}")
        want = schema[key]
        if isinstance(want, Mapping):
            if not isinstance(value, Mapping):
                raise FleetError(f"{where}: {'.'.join(path)!r} must be a table")
            _check(value, want, text, name, path)
            continue
        types, _ = want
        ok = isinstance(value, types) or (float in types and isinstance(value, int))
        if not ok or (isinstance(value, bool) and bool not in types):
            kinds = " or ".join(t.__name__ for t in types)
            raise FleetError(f"{where}: {'.'.join(path)!r} must be {kinds}, not {value!r}")
    for key, want in schema.items():
        if not isinstance(want, Mapping) and want[1] and key not in data:
            line = _line_of(text, at) if at else 1
            raise FleetError(f"{name}:{line}: missing key {'.'.join((*at, key))!r}")


def loads(text: str, schema: Schema, name: str = "<text>") -> dict[str, Any]:
    """Parse and check TOML text; errors read `name:line: what`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = found.group(1) if found else "1"
        raise FleetError(f"{name}:{line}: not valid TOML: {error}") from None
    _check(data, schema, text, name, ())
    return data


def load(path: Path | str, schema: Schema) -> dict[str, Any]:
    """Read and check a TOML file."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FleetError(f"{path}: cannot be read: {error.strerror}") from None
    return loads(text, schema, path.name)
