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
from amaranth.lib.wiring import Component
from weft_hw.boards.bare_array import BareArray
from weft_hw.boards.table import Board
from weft_hw.boards.top import BoardTop, fastest_clock
from weft_hw.config import ChipConfig
from weft_hw.verilog import to_verilog

from . import dsp_operands, dsp_registers, floorplan
from .dsp_operands import align_operands
from .dsp_registers import pack_dsp_registers
from .fit import check_cells, check_fit
from .floorplan import place_blocks
from .report import TimingReport, read_report
from .steps import Steps
from .tools import find_tool

__all__ = ["BLOCKS", "FpgaRun", "build_bitstream", "map_design", "time_block"]

#: What can be placed and routed by itself.
BLOCKS = {"array": BareArray}

_PASSES = [Path(str(step.__file__)) for step in (dsp_registers, dsp_operands, floorplan)]
_REPORT = "nextpnr_report.json"

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

    folder: Path
    bitstream: Path | None
    """None of a block."""
    clock_mhz: float
    """The clock that the bitstream has, or that was asked for."""
    reachable_mhz: float
    """The fastest clock of the board's PLL that this placement and routing allow."""
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
    pack = _tools(top, "nextpnr-ecp5", "ecppack")[1]
    name = f"weft_{config.name}_{board.name}"
    bitstream = folder / f"{name}.bit"
    steps = Steps(folder, on_step)
    settings = f"{config} {board} {memory_kib} {clock_hz} {baud}"
    cells = map_design(top, name, steps, settings, board)
    check_cells(cells, config, board)
    placed = _place(name, board, board.constraints, clock_hz, seed, steps)
    packing = [pack, "--compress", "--input", placed.name, "--bit", bitstream.name]
    steps.run("ecppack", packing, [placed], [bitstream])
    return _result(steps, board, clock_hz, cells, bitstream)


def time_block(
    config: ChipConfig,
    board: Board,
    folder: Path,
    *,
    block: str,
    clock_hz: int,
    seed: int,
    on_step: Callable[[str], None] = lambda step: None,
) -> FpgaRun:
    """Places and routes a block of ``BLOCKS`` by itself, without PLL: the clock it reaches.

    Raises as ``build_bitstream``.
    """
    if block not in BLOCKS:
        raise ValueError(f"block must be one of {', '.join(BLOCKS)}, not {block!r}")
    top = BLOCKS[block](config)
    _tools(top, "nextpnr-ecp5")
    name = f"weft_{config.name}_{block}"
    steps = Steps(folder, on_step)
    cells = map_design(top, name, steps, f"{config} {block}", board)
    check_cells(cells, config, board)
    constraints = board.constraints_of(("clk", "rst", "rx", "tx"))
    _place(name, board, constraints, clock_hz, seed, steps)
    return _result(steps, board, clock_hz, cells, None)


def map_design(
    top: Component, name: str, steps: Steps, settings: str, board: Board
) -> dict[str, int]:
    """``top`` as Verilog and as a netlist of ECP5 cells, with registers in its DSP blocks and the
    places of blocks; their counts. ``settings`` say what ``top`` was made from, beside the
    hardware's source.
    """
    folder = steps.folder
    source, mapped, netlist = (folder / f"{name}{end}" for end in (".v", ".yosys.json", ".json"))
    stat = folder / "yosys_stat.json"

    def generate() -> None:
        source.write_text(to_verilog(top, name, assertions=False).text)

    def arrange_blocks() -> None:
        design = json.loads(mapped.read_text())
        pack_dsp_registers(design, name)
        align_operands(design, name)
        place_blocks(design, name, board.fpga)
        netlist.write_text(json.dumps(design))

    steps.make("Verilog", [settings, _hardware_digest()], [source], generate)
    top._MustUse__used = True
    yosys = [sys.executable, "-c", _YOSYS, source.name, name, mapped.name, stat.name]
    steps.run("Yosys", yosys, [source], [mapped, stat])
    steps.make("blocks", [mapped, *_PASSES, board.fpga], [netlist], arrange_blocks)
    text = stat.read_text()
    counts = json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]
    return dict(sorted(Counter(counts).items()))


def _place(
    name: str, board: Board, constraints: str, clock_hz: int, seed: int, steps: Steps
) -> Path:
    """The netlist, placed and routed; its timing in the folder's report."""
    folder = steps.folder
    netlist, pins, placed = (folder / f"{name}{end}" for end in (".json", ".lpf", ".config"))
    report = folder / _REPORT
    pins.write_text(constraints)
    route = [
        *(find_tool("nextpnr-ecp5"), f"--{board.fpga}"),
        *("--package", board.package, "--speed", board.speed),
        *("--json", netlist.name, "--lpf", pins.name, "--textcfg", placed.name),
        *("--report", report.name, "--seed", str(seed), "--freq", f"{clock_hz / 1e6:g}"),
        # the defaults, heap and router1, take a third more wire, and hours
        *("--placer", "static", "--router", "router2", "--timing-allow-fail"),
    ]
    steps.run("nextpnr", route, [netlist, pins], [placed, report])
    return placed


def _result(
    steps: Steps, board: Board, clock_hz: int, cells: dict[str, int], bitstream: Path | None
) -> FpgaRun:
    timing = read_report(steps.folder / _REPORT)
    return FpgaRun(
        folder=steps.folder,
        bitstream=bitstream,
        clock_mhz=clock_hz / 1e6,
        reachable_mhz=fastest_clock(board.clock_hz, timing.fmax_mhz * 1e6) / 1e6,
        cells=cells,
        timing=timing,
        seconds=steps.seconds,
    )


def _tools(top: Component, *names: str) -> list[str]:
    try:
        return [find_tool(name) for name in names]
    except FileNotFoundError:
        # nothing will elaborate it, and that is no mistake
        top._MustUse__used = True
        raise


def _hardware_digest() -> str:
    """Of all that the Verilog is made by."""
    digest = hashlib.sha256()
    for file in sorted(Path(weft_hw.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
