"""A cell library: one or several Liberty files used together, checked before anything runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from .cells import Cell, cell_from_group
from .errors import LibertyError, ToolError
from .liberty import LibertyFile, parse_group, read_liberty
from .tables import Units
from .tools import OSU018

__all__ = ["CellLibrary", "default_library", "load_library"]

#: Cells that a mapper must not choose, by name pattern, and why.
DONT_USE = {
    "*lpflow*": "needs a second supply",
    "*probe*": "test structure",
    "*__edf*": "flip-flop with enable, made in one weak size only",
    "*__dly*": "delay cell for hold fixing",
    "*__clkdly*": "delay cell for hold fixing",
    "HB*xp67_ASAP7*": "delay cell for hold fixing",
    "sg13g2_dlygate*": "delay cell for hold fixing",
    "sg13g2_sdf*": "scan flip-flop",
    "*__sdf*": "scan flip-flop",
    "*__sedf*": "scan flip-flop",
    "SDFF*": "scan flip-flop",
    "SDF*_ASAP7*": "scan flip-flop",
}


@dataclass(slots=True)
class CellLibrary:
    """Files of one library. Cells are parsed when asked for."""

    name: str
    files: list[LibertyFile]
    _cells: dict[str, Cell] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Of the files' SHA-256 in order; of one file, its own."""
        if len(self.files) == 1:
            return self.files[0].sha256
        return hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()

    @property
    def voltage_v(self) -> float:
        return Units.of(self.files[0].header).voltage_v

    @property
    def sta_time_ps(self) -> float:
        """The time unit that OpenSTA reports in: that of the first file, ps."""
        return Units.of(self.files[0].header).time_ps

    @property
    def cell_names(self) -> list[str]:
        return [name for file in self.files for name in file.cells]

    @property
    def dont_use(self) -> list[str]:
        """Cells present that must not be chosen."""
        return [
            name for name in self.cell_names if any(fnmatch(name, pattern) for pattern in DONT_USE)
        ]

    def cell(self, name: str) -> Cell:
        """A cell in common units.

        Raises
        ------
        LibertyError
            if there is none of that name or it does not parse.
        """
        if name not in self._cells:
            for file in self.files:
                if name in file.cells:
                    where = f"cell {name} of {file.path}"
                    group = parse_group(file.cells[name], where)
                    self._cells[name] = cell_from_group(group, file.header)
                    break
            else:
                raise LibertyError(f"library {self.name} has no cell {name}")
        return self._cells[name]

    def has_flip_flop(self, name: str) -> bool:
        """Whether that cell is a flip-flop, from its text alone."""
        return any(name in file.cells and _has_group(file.cells[name], "ff") for file in self.files)

    @property
    def has_power(self) -> bool:
        """Whether the files have tables of internal energy."""
        return any("internal_power" in text for file in self.files for text in file.cells.values())

    def plain_files(self, folder: Path) -> list[Path]:
        """The files without compression, for tools that want plain text. Written once to
        ``folder``."""
        paths = []
        for file in self.files:
            if file.path.suffix != ".gz":
                paths.append(file.path.resolve())
                continue
            path = folder / f"{file.path.name.removesuffix('.gz')}.{file.sha256[:12]}.lib"
            if not path.is_file():
                folder.mkdir(parents=True, exist_ok=True)
                # several processes may write it at once
                part = path.with_suffix(f".{os.getpid()}.part")
                part.write_text(file.text)
                part.rename(path)
            paths.append(path)
        return paths


def load_library(paths: Sequence[Path], name: str | None = None) -> CellLibrary:
    """Reads Liberty files as one library.

    Raises
    ------
    LibertyError
        if there are none, one does not parse, or together they have no flip-flop or voltage.
    """
    if not paths:
        raise LibertyError("a library needs at least one Liberty file")
    files = [read_liberty(Path(path)) for path in paths]
    library = CellLibrary(name or files[0].name, files)
    where = ", ".join(str(path) for path in paths)
    if not library.cell_names:
        raise LibertyError(f"{where} has no cells: give a library of standard cells")
    texts = [text for file in files for text in file.cells.values()]
    if not any(_has_group(text, "ff") for text in texts):
        raise LibertyError(
            f"{where} has no flip-flop (no cell with an ff group): give all files of the library, "
            "the one with its sequential cells too"
        )
    for file in files:
        try:
            Units.of(file.header)
        except (LibertyError, KeyError, ValueError) as error:
            raise LibertyError(f"{file.path}: {error}") from error
    return library


def _has_group(text: str, name: str) -> bool:
    return any(line.strip().replace(" ", "").startswith(f"{name}(") for line in text.splitlines())


def default_library() -> CellLibrary:
    """The library of a fresh machine: OSU018, 180 nm, by apt.

    Raises
    ------
    ToolError
        if its package is not installed.
    """
    if not OSU018.is_file():
        raise ToolError(
            f"no Liberty file was given and {OSU018} is missing; on Debian or Ubuntu: "
            "apt-get install qflow-tech-osu018, or give files with --liberty"
        )
    return load_library([OSU018], "osu018")
