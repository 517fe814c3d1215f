"""The flow: Verilog, Yosys, registers into DSP blocks, nextpnr, ecppack.

Each step's files and log stay in the folder; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import weft_hw
from weft_hw.boards.table import Board
from weft_hw.boards.top import BoardTop
from weft_hw.config import ChipConfig
from weft_hw.verilog import to_verilog

from . import dsp_registers
from .dsp_registers import pack_dsp_registers
from .fit import check_cells, check_fit
from .report import TimingReport, read_report
from .steps import Steps
from .tools import find_tool

__all__ = ["FpgaRun", "build_bitstream"]

_PACKER = Path(dsp_registers.__file__)

_YOSYS = """
import sys
from pyosys import libyosys as ys
source, top, netlist, stat = sys.argv[1:]
design = ys.Design()
for command in (
    f"read_verilog {source}",
    f"synth_ecp5 -top {top} -json {netlist}",
    f"tee -q -o {stat} stat -json",
):
    ys.run_pass(command, design)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FpgaRun:
    """What came out. ``cells`` are Yosys' counts; ``seconds`` of each step."""

    bitstream: Path
    clock_mhz: float
    """The clock that the bitstream has."""
    cells: dict[str, int]
    timing: TimingReport
    seconds: dict[str, float]

    @property
    def meets_timing(self) -> bool:
        return self.timing.fmax_mhz >= self.clock_mhz


def build_bitstream(
    config: ChipConfig,
    board: Board,
    folder: Path,
    *,
    memory_kib: int,
    clock_hz: int,
    baud: int,
    seed: int,
    on_step: Callable[[str], None] = lambda step: None,
) -> FpgaRun:
    """Builds the bitstream of ``config`` for ``board`` in ``folder`` (made if missing).

    A clock that is not met is no error: ``FpgaRun.meets_timing`` tells.

    Raises
    ------
    ValueError
        if it does not fit, or the clock or the line's speed cannot be made.
    FileNotFoundError
        if a program is missing.
    RuntimeError
        if one stops.
    """
    check_fit(config, board, memory_kib)
    # mistakes are told before missing programs
    top = BoardTop(config, board, memory_kib=memory_kib, clock_hz=clock_hz, baud=baud)
    try:
        place, pack = find_tool("nextpnr-ecp5"), find_tool("ecppack")
    except FileNotFoundError:
        # nothing will elaborate it, and that is no mistake
        top._MustUse__used = True
        raise
    name = f"weft_{config.name}_{board.name}"
    source, mapped, netlist = (folder / f"{name}{end}" for end in (".v", ".yosys.json", ".json"))
    stat, report = folder / "yosys_stat.json", folder / "nextpnr_report.json"
    pins, placed = folder / f"{name}.lpf", folder / f"{name}.config"
    bitstream = folder / f"{name}.bit"
    steps = Steps(folder, on_step)
    settings = f"{config} {board} {memory_kib} {clock_hz} {baud} {_hardware_digest()}"

    def generate() -> None:
        source.write_text(to_verilog(top, name, assertions=False).text)
        pins.write_text(board.constraints)

    def pack_registers() -> None:
        design = json.loads(mapped.read_text())
        pack_dsp_registers(design, name)
        netlist.write_text(json.dumps(design))

    steps.make("Verilog", [settings], [source, pins], generate)
    top._MustUse__used = True
    yosys = [sys.executable, "-c", _YOSYS, source.name, name, mapped.name, stat.name]
    steps.run("Yosys", yosys, [source], [mapped, stat])
    text = stat.read_text()
    counts = json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]
    cells = dict(sorted(Counter(counts).items()))
    check_cells(cells, config, board)
    steps.make("registers", [mapped, _PACKER.read_text()], [netlist], pack_registers)
    route = [
        *(place, f"--{board.fpga}", "--package", board.package, "--speed", board.speed),
        *("--json", netlist.name, "--lpf", pins.name, "--textcfg", placed.name),
        *("--report", report.name, "--seed", str(seed), "--freq", f"{clock_hz / 1e6:g}"),
        # router1, the default, takes hours
        *("--router", "router2", "--timing-allow-fail"),
    ]
    steps.run("nextpnr", route, [netlist, pins], [placed, report])
    packing = [pack, "--compress", "--input", placed.name, "--bit", bitstream.name]
    steps.run("ecppack", packing, [placed], [bitstream])
    return FpgaRun(
        bitstream=bitstream,
        clock_mhz=clock_hz / 1e6,
        cells=cells,
        timing=read_report(report),
        seconds=steps.seconds,
    )


def _hardware_digest() -> str:
    """Of all that the Verilog is made by."""
    digest = hashlib.sha256()
    for file in sorted(Path(weft_hw.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
