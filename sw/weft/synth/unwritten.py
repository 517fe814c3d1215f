"""Finds bits of registers that nothing writes: neither an assignment nor a reset.

A simulator and an FPGA show the initial value there. Silicon has none, and mapping puts what it
likes: it is no constant but an open value. Found by Yosys on the design as it is, hierarchy kept,
with the initial values dropped.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from .tools import run, yosys_installed

__all__ = ["unwritten_registers"]

_PROGRAM = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
for command in (
    f"read_verilog -sv {sys.argv[1]}", f"hierarchy -check -top {sys.argv[2]}",
    "delete */t:$print */t:$check */t:$assert", "proc", "setattr -unset init */w:*", "opt_expr",
    "opt_clean", "opt_dff",
):
    ys.run_pass(command, design)
"""
#: A flip-flop without reset that only ever keeps what it has: generated Verilog assigns registers
#: whole, bits that nothing else is written to with themselves.
_FOUND = re.compile(r"^Handling D = Q on \S+ \(\$dffe?\) from module (\S+) ", re.MULTILINE)


def unwritten_registers(verilog: Path, top: str) -> list[str]:
    """Modules of generated Verilog that have such bits, once for each register. The log of Yosys is
    kept beside the file.

    Raises
    ------
    FlowError
        if Yosys stops.
    ToolError
        if it is missing.
    """
    yosys_installed()
    command = [sys.executable, "-c", _PROGRAM, str(verilog), top]
    return _FOUND.findall(run(command, verilog.with_suffix(".log"), f"Yosys, reading {top},"))
