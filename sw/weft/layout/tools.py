"""The programs and files of the layout flow, all of them packages of Debian."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from weft.synth.errors import ToolError
from weft.synth.tools import OSU018

__all__ = ["PACKAGES", "Process", "layout_tools", "osu018"]

#: Program -> package and what it is for.
PACKAGES = {
    "graywolf": ("graywolf", "places the cells"),
    "qrouter": ("qrouter", "routes the nets"),
    "magic": ("magic", "checks design rules and extracts"),
    "netgen-lvs": ("netgen-lvs", "compares layout and netlist"),
}
#: What installs all of it.
_INSTALL = "apt-get install graywolf qrouter magic netgen-lvs qflow-tech-osu018"


@dataclass(frozen=True, slots=True)
class Process:
    """Files of a process: cells and layers, graywolf's parameters, magic's and netgen's set-up."""

    lef: Path
    parameters: Path
    tech: Path
    setup: Path


def layout_tools() -> None:
    """Checks that every program is there.

    Raises
    ------
    ToolError
        naming all that are not.
    """
    missing = [name for name in PACKAGES if shutil.which(name) is None]
    if missing:
        what = ", ".join(f"{name} (which {PACKAGES[name][1]})" for name in missing)
        raise ToolError(f"layout needs {what}, not found; on Debian or Ubuntu: {_INSTALL}")


def osu018(folder: Path = OSU018.parent) -> Process:
    """The 180 nm process of Debian's qflow-tech-osu018.

    Raises
    ------
    ToolError
        if a file is missing.
    """
    process = Process(
        folder / "osu018_stdcells.lef",
        folder / "osu018.par",
        folder / "SCN6M_SUBM.10.tech",
        folder / "osu018_setup.tcl",
    )
    for path in (process.lef, process.parameters, process.tech, process.setup):
        if not path.is_file():
            raise ToolError(f"layout needs {path}, not found; on Debian or Ubuntu: {_INSTALL}")
    return process
