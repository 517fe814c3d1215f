"""Liberty files: found by cell, parsed on demand.

A library may be 20 MB of text and a design uses thirty of its cells, so a file is split into cells
first and only
the cells asked for are parsed. Plain and gzip-compressed files are read alike.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from .errors import LibertyError

__all__ = ["Group", "LibertyFile", "parse_group", "read_liberty"]

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CONTINUATION = re.compile(r"\\\s*\n")
_CELL = re.compile(r'^[ \t]*cell\s*\(\s*"?([^")\s]+)"?\s*\)\s*\{', re.MULTILINE)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}();:,]|[^\s{}();:,"]+|\n')


@dataclass(slots=True)
class Group:
    """``name (arguments) { attributes, sub-groups }`` of a Liberty file. Attribute values are
    text."""

    name: str
    arguments: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    complex: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    """Attributes with parentheses: ``index_1 ("1, 2")``, ``values (...)``."""
    groups: list[Group] = field(default_factory=list)

    def all(self, name: str) -> list[Group]:
        """Sub-groups of that name."""
        return [group for group in self.groups if group.name == name]

    def first(self, name: str) -> Group | None:
        """The first sub-group of that name."""
        return next((group for group in self.groups if group.name == name), None)


@dataclass(frozen=True, slots=True)
class LibertyFile:
    """One Liberty file: its header as a group, the text of each of its cells."""

    path: Path
    sha256: str
    """Of the file's bytes as they lie on disk."""
    text: str
    header: Group
    cells: dict[str, str]

    @property
    def name(self) -> str:
        """The library's own name."""
        return self.header.arguments[0] if self.header.arguments else self.path.stem


def read_liberty(path: Path) -> LibertyFile:
    """Reads a file, plain or ``.gz``.

    Raises
    ------
    LibertyError
        if the file is missing, is no Liberty file or does not parse.
    """
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except OSError as error:
        reason = error.strerror or str(error)
        raise LibertyError(f"{path} cannot be read as a Liberty file: {reason}") from error
    except EOFError as error:
        raise LibertyError(f"{path} ends early: fetch the compressed file again") from error
    text = _CONTINUATION.sub(" ", _COMMENT.sub("", data.decode("utf-8", "replace")))
    if not re.match(r"\s*library\s*\(", text):
        raise LibertyError(f"{path} is no Liberty file: it must begin with library (name)")
    starts = list(_CELL.finditer(text))
    header = _close(text[: starts[0].start()] if starts else text, path)
    cells = {}
    for index, match in enumerate(starts):
        limit = starts[index + 1].start() if index + 1 < len(starts) else len(text)
        cells[match.group(1)] = text[match.start() : _end_of_group(text, match.end(), limit, path)]
    return LibertyFile(path, hashlib.sha256(raw).hexdigest(), text, header, cells)


def _close(text: str, path: Path) -> Group:
    missing = text.count("{") - text.count("}")
    if missing < 0:
        raise LibertyError(f"{path} does not parse: a closing brace too many before the first cell")
    return parse_group(text + "}" * missing, str(path))


def _end_of_group(text: str, start: int, limit: int, path: Path) -> int:
    depth, at = 1, start
    while depth:
        closing = text.find("}", at, limit)
        if closing < 0:
            line = text.count("\n", 0, start) + 1
            raise LibertyError(f"{path} does not parse: the cell near line {line} is not closed")
        depth += text.count("{", at, closing) - 1
        at = closing + 1
    return at


def parse_group(text: str, where: str) -> Group:
    """Parses the text of one group.

    Raises
    ------
    LibertyError
        naming ``where`` and what was expected.
    """
    tokens = _TOKEN.findall(text)
    position = _skip(tokens, 0)
    group, position = _group(tokens, position, where)
    if _skip(tokens, position) < len(tokens):
        raise LibertyError(f"{where} does not parse: text after the end of {group.name}")
    return group


def _skip(tokens: list[str], position: int) -> int:
    while position < len(tokens) and tokens[position] in ("\n", ";"):
        position += 1
    return position


def _arguments(tokens: list[str], position: int, where: str) -> tuple[tuple[str, ...], int]:
    """Tokens between parentheses; ``position`` is behind the opening one."""
    found = []
    while position < len(tokens) and tokens[position] != ")":
        if tokens[position] not in (",", "\n"):
            found.append(tokens[position].strip('"'))
        position += 1
    if position >= len(tokens):
        raise LibertyError(f"{where} does not parse: a parenthesis is not closed")
    return tuple(found), position + 1


def _group(tokens: list[str], position: int, where: str) -> tuple[Group, int]:
    """A group whose name is at ``position``."""
    if position + 1 >= len(tokens) or tokens[position + 1] != "(":
        raise LibertyError(f"{where} does not parse: a group was expected")
    name = tokens[position]
    arguments, position = _arguments(tokens, position + 2, where)
    position = _skip(tokens, position)
    if position >= len(tokens) or tokens[position] != "{":
        raise LibertyError(f"{where} does not parse: {name} has no opening brace")
    group = Group(name, arguments)
    position = _skip(tokens, position + 1)
    while position < len(tokens) and tokens[position] != "}":
        position = _skip(tokens, _statement(tokens, position, group, where))
    if position >= len(tokens):
        raise LibertyError(f"{where} does not parse: {name} is not closed")
    return group, position + 1


def _statement(tokens: list[str], position: int, group: Group, where: str) -> int:
    """One attribute or sub-group of ``group``. Returns the position behind it."""
    name = tokens[position].strip('"')
    following = tokens[position + 1] if position + 1 < len(tokens) else ""
    if following == ":":
        position += 2
        words = []
        while position < len(tokens) and tokens[position] not in (";", "\n", "}"):
            words.append(tokens[position].strip('"'))
            position += 1
        group.attributes[name] = " ".join(words)
        return position
    if following == "(":
        arguments, after = _arguments(tokens, position + 2, where)
        ahead = _skip(tokens, after)
        if ahead < len(tokens) and tokens[ahead] == "{":
            child, position = _group(tokens, position, where)
            group.groups.append(child)
            return position
        group.complex.setdefault(name, []).append(arguments)
        return after
    raise LibertyError(f"{where} does not parse: {name!r} must be followed by : or (")
