"""The programs of the physical flow: Yosys (Python package pyosys), OpenSTA, and the library of a
fresh machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from .errors import FlowError, ToolError

__all__ = ["OSU018", "opensta", "run", "versions", "yosys_installed"]

#: Where Debian's qflow-tech-osu018 puts its cells.
OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")


def opensta() -> str:
    """Path of OpenSTA: ``$WEFT_STA``, else ``sta`` on the path.

    Raises
    ------
    ToolError
        if there is none.
    """
    wanted = os.environ.get("WEFT_STA")
    path = shutil.which(wanted or "sta")
    if path is None:
        what = f"OpenSTA at {wanted} (from WEFT_STA)" if wanted else "OpenSTA (program sta)"
        raise ToolError(
            f"{what} was not found, which times the mapped netlist; on Debian or Ubuntu: "
            "apt-get install opensta, or give a newer one by its path in WEFT_STA"
        )
    return path


def yosys_installed() -> str:
    """The version of pyosys.

    Raises
    ------
    ToolError
        if it is missing.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise ToolError(
            "the Python package pyosys is missing, which maps to cells: pip install pyosys"
        )
    return importlib.metadata.version("pyosys")


@cache
def versions() -> dict[str, str]:
    """Versions of the tools found, for the record beside every number."""
    found = {"pyosys": yosys_installed()}
    try:
        result = subprocess.run(
            [opensta(), "-version"], capture_output=True, text=True, check=False, timeout=60
        )
        match = re.search(r"\d+\.\d+(\.\d+)?", result.stdout + result.stderr)
        found["opensta"] = match.group() if match else "unknown"
    except ToolError:
        found["opensta"] = "missing"
    return found


def run(command: list[str], log: Path, what: str, folder: Path | None = None) -> str:
    """Runs a program, in ``folder`` if given and without input, with its messages in ``log``;
    returns them. Ctrl-C ends it with this process.

    Raises
    ------
    FlowError
        if it fails, with the end of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False,
            cwd=folder,
        )  # fmt: skip
    text = log.read_text(errors="replace")
    if result.returncode:
        tail = " / ".join(line for line in text.splitlines() if line.strip())[-300:]
        raise FlowError(f"{what} stopped (log: {log}): {tail}")
    return text
