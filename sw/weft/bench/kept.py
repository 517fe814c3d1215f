"""Points of a long run, kept as they are measured: a run that was cut short goes on where it was.

A file has a line that says what is being run, then a line for each point. A run that is complete,
or that another one takes the place of, is put aside under its first seed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from .points import PointRow

__all__ = ["Kept", "code_hash"]

_PACKAGES = ("weft_hw", "weft_sim", "weft")


@cache
def code_hash() -> str:
    """A hash of hardware, simulators and driver: points of other code are not mixed."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        root = Path(str(resources.files(package)))
        for path in sorted(root.rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@dataclass
class Kept:
    """The points of one run: seeds ``first_seed`` and on, drawn from ``presets``."""

    path: Path
    first_seed: int
    presets: tuple[str, ...]
    rows: list[PointRow]

    @classmethod
    def open(cls, path: Path, presets: Sequence[str], seed: int | None, fresh_seed: int) -> Kept:
        """The run in ``path`` if it is the one asked for (any seed, if ``seed`` is None) and of
        this code; otherwise a new one from ``seed`` or ``fresh_seed`` on.
        """
        kept = cls._read(path)
        if kept is not None:
            if kept.presets == tuple(presets) and seed in (None, kept.first_seed):
                return kept
            kept.put_aside()
        first = fresh_seed if seed is None else seed
        path.parent.mkdir(parents=True, exist_ok=True)
        head = {"first_seed": first, "presets": list(presets), "code": code_hash()}
        path.write_text(json.dumps(head) + "\n")
        return cls(path, first, tuple(presets), [])

    @classmethod
    def _read(cls, path: Path) -> Kept | None:
        """The run in a file; None if there is none, or it is of other code or damaged."""
        if not path.exists():
            return None
        rows = []
        try:
            head, *lines = path.read_text().splitlines()
            said = json.loads(head)
            if said["code"] != code_hash():
                return None
            first, presets = int(said["first_seed"]), tuple(said["presets"])
            rows = [PointRow(**json.loads(line)) for line in lines]
        except (ValueError, TypeError, KeyError):
            return None
        return cls(path, first, presets, rows)

    def append(self, row: PointRow) -> None:
        """Keeps a point."""
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")

    def put_aside(self) -> Path:
        """Gives the file a name of its own; which."""
        place = self.path.with_name(f"{self.path.stem}-{self.first_seed}.jsonl")
        self.path.rename(place)
        return place
