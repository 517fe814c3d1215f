"""Chip configurations as TOML files: ``load``, ``loads``, ``dumps``, ``save``.

A file holds ``name`` and the tables ``[tile]``, ``[mesh]`` and ``[host]`` with every field of their
dataclasses, no more and no less, so that a file alone says what chip it means. Every mistake is a
``ValueError`` of one sentence that begins with ``file:line:``.
"""

import re
import tomllib
from dataclasses import MISSING, asdict, fields
from pathlib import Path

import tomli_w

from .config import ChipConfig, HostConfig, MeshConfig, TileConfig

__all__ = ["dumps", "load", "loads", "save"]

_TABLES = {"tile": TileConfig, "mesh": MeshConfig, "host": HostConfig}
_TOP = ("name", *_TABLES)
_HEADER = re.compile(r"^\s*\[\s*([A-Za-z0-9_.-]+)\s*\]")
_KEY = re.compile(r"^\s*[\"']?([A-Za-z0-9_-]+)[\"']?\s*(?:=|\.)")
_POSITION = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")


def load(path) -> ChipConfig:
    """The configuration in the file ``path``.

    Raises
    ------
    ValueError
        if the file cannot be read, is not TOML, or has an unknown, missing or wrong key.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(
            f"{path}: cannot be read: {error.strerror}; give the path of a TOML configuration"
        ) from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}:1: is not UTF-8 text (byte {error.start}); "
            "give the path of a TOML configuration"
        ) from None
    return loads(text, str(path))


def loads(text: str, name: str = "<string>") -> ChipConfig:
    """The configuration in ``text``; ``name`` stands for the file in messages.

    Raises
    ------
    ValueError
        if ``text`` is not TOML or has an unknown, missing or wrong key.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _POSITION.search(str(error))
        line = found[1] if found and found[1] else str(text.count("\n") + 1)
        reason = _POSITION.sub("", str(error))
        raise ValueError(
            f"{name}:{line}: is not valid TOML: {reason[:1].lower()}{reason[1:]}"
        ) from None
    lines = _Lines(text)

    def fail(table, key, message):
        raise ValueError(f"{name}:{lines.of(table, key)}: {message}")

    _check_keys(document, _TOP, "the file", lambda key, message: fail("", key, message))
    if not isinstance(document["name"], str):
        fail("", "name", f"name must be a string, not {document['name']!r}")
    parts = {}
    for table, kind in _TABLES.items():
        values = document[table]
        if not isinstance(values, dict):
            fail("", table, f"{table} must be a table [{table}], not {values!r}")
        known = {field.name: field for field in fields(kind)}
        _check_keys(
            values,
            known,
            f"[{table}]",
            lambda key, message, table=table: fail(table, key, message),
            known,
        )
        for key, value in values.items():
            _check_type(
                key,
                value,
                known[key].type,
                lambda message, key=key, table=table: fail(table, key, message),
            )
        arguments = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        try:
            parts[table] = kind(**arguments)
        except (TypeError, ValueError) as error:
            fail(table, _subject(str(error), known), str(error))
    try:
        return ChipConfig(name=document["name"], **parts)
    except (TypeError, ValueError) as error:
        owner = next(
            (
                table
                for table, kind in _TABLES.items()
                if _subject(str(error), {field.name for field in fields(kind)})
            ),
            "",
        )
        key = _subject(
            str(error), {"name"} if not owner else {field.name for field in fields(_TABLES[owner])}
        )
        fail(owner, key, str(error))


def dumps(config: ChipConfig) -> str:
    """TOML text from which ``loads`` gives an equal configuration."""
    if not isinstance(config, ChipConfig):
        raise TypeError(f"config must be a ChipConfig, not {config!r}")
    document = asdict(config)
    document["tile"]["formats"] = list(document["tile"]["formats"])
    return tomli_w.dumps(document)


def save(config: ChipConfig, path) -> None:
    """Writes ``dumps(config)`` to the file ``path``."""
    Path(path).write_text(dumps(config), encoding="utf-8")


def _check_keys(values, allowed, owner, fail, known=None):
    for key in values:
        if key not in allowed:
            fail(key, f"{owner} has the unknown key {key!r}; allowed are {', '.join(allowed)}")
    for key in allowed:
        if key not in values:
            default = known and known[key].default
            usual = "" if default in (None, MISSING) else f" (usually {default!r})"
            fail(None, f"{owner} lacks the key {key!r}{usual}; needed are {', '.join(allowed)}")


def _check_type(key, value, kind, fail):
    if kind is int and (not isinstance(value, int) or isinstance(value, bool)):
        fail(f"{key} must be an integer, not {value!r}")
    if kind == tuple[str, ...] and not (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    ):
        fail(f"{key} must be a list of strings, not {value!r}")


def _subject(message, names):
    """The key a validation message begins with, or None."""
    word = message.split(" ", 1)[0]
    return word if word in names else None


class _Lines:
    """Line numbers of tables and keys in TOML text."""

    def __init__(self, text):
        self._at = {}
        table = ""
        for number, line in enumerate(text.splitlines(), 1):
            header, key = _HEADER.match(line), _KEY.match(line)
            if header:
                table = header[1]
                self._at.setdefault((table, None), number)
                self._at.setdefault(("", table), number)
            elif key:
                self._at.setdefault((table, key[1]), number)

    def of(self, table, key):
        """Line of ``key`` in ``table``, else of the table, else 1."""
        return self._at.get((table, key), self._at.get((table, None), self._at.get(("", table), 1)))
