"""Synthesis for Lattice ECP5 with Yosys in-process: resource counts of generated Verilog."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

__all__ = ["ECP5_85F", "synthesise_ecp5"]

#: What an LFE5U-85F has.
#: Source: Lattice ECP5 and ECP5-5G family data sheet, FPGA-DS-02012, table 1.1.
ECP5_85F = {"TRELLIS_FF": 83_640, "LUT4": 83_640, "DP16KD": 208, "MULT18X18D": 156}

_SCRIPT = """
import sys
from pyosys import libyosys as ys
source, top, stat = sys.argv[1:]
design = ys.Design()
for command in (
    f"read_verilog {source}",
    f"synth_ecp5 -top {top}",
    f"tee -q -o {stat} stat -json",
):
    ys.run_pass(command, design)
"""


def synthesise_ecp5(verilog: Path, top: str, log: Path) -> dict[str, int]:
    """Cells of ``top`` mapped to ECP5 by ``synth_ecp5``: type -> count, submodules included.

    Runs in a process of its own, so that it can be interrupted and its messages go to ``log``.

    Raises
    ------
    RuntimeError
        if Yosys stops, with the end of its log.
    """
    stat = log.with_suffix(".stat.json")
    with log.open("w") as out:
        result = subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(verilog), top, str(stat)],
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        tail = " / ".join(log.read_text().splitlines()[-3:])
        raise RuntimeError(f"Yosys stopped while synthesising {verilog} (log: {log}): {tail}")
    text = stat.read_text()
    report = json.loads(text[text.index("{") :])
    cells: Counter[str] = Counter(report["design"]["num_cells_by_type"])
    return dict(sorted(cells.items()))
