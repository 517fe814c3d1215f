"""Compiles the FPGA top of a configuration into a board that runs on this computer.

The parts of ``weft_sim.rtl`` that verilate, compile and keep a chip serve here too; only the top
module and what stands at its pins are others.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from filelock import FileLock
from weft_hw.boards.prototype import Prototype
from weft_hw.verilog import Verilog, to_verilog
from weft_sim.rtl import build as chip_build
from weft_sim.rtl.compile import Jobs, Unit
from weft_sim.rtl.group import group
from weft_sim.rtl.progress import Progress
from weft_sim.rtl.toolchain import compiler, verilator
from weft_sim.rtl.verilate import control_file, verilate
from weft_sim.rtl.wrapper import wrap

__all__ = ["build_board"]

_TOP = "weft_prototype"
_LIBRARY = "libweft_board.so"
_SOURCE = Path(__file__).with_name("board.cpp")
_OUTPUT = Path(chip_build.__file__).with_name("harness") / "output.cpp"
_FLAGS = (
    "-std=gnu++20 -fPIC -fvisibility=hidden -DVL_TIME_CONTEXT -DVERILATOR=1 -DVM_TRACE=0 "
    "-DVM_TRACE_VCD=0 -DVM_COVERAGE=0 -DVM_SC=0 -DVM_TIMING=0"
).split()
_PIECE_BYTES = 600_000
#: What every model needs of Verilator's library.
_RUNTIME = ("verilated", "verilated_threads")
_CLOCK_EDGE = re.compile(r"@\(posedge (\w+)\)")


def build_board(prototype: Prototype, root: Path) -> Path:
    """The shared library of ``prototype`` (see ``board.cpp``), built in ``root`` if need be.

    Raises
    ------
    ToolchainError, BuildError
        if it cannot be built.
    """
    design = to_verilog(prototype, _TOP)
    # all clocks are one, and each toggle of it is a cycle
    design = Verilog(
        top=design.top, text=_CLOCK_EDGE.sub(r"@(edge \1)", design.text), shared=design.shared
    )
    design = wrap(design, both_edges=True)
    sources = (_SOURCE, _OUTPUT, Path(__file__))
    parts = (
        design.text,
        control_file(design),
        verilator().version,
        *(path.read_text() for path in sources),
        str(prototype.divisor),
    )
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    home = root / f"board-{prototype.config.name}-{digest}"
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(home.with_name(home.name + ".lock")):
        if not (home / _LIBRARY).is_file():
            partial = home.with_name(home.name + ".partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(home, ignore_errors=True)
            (partial / "obj").mkdir(parents=True)
            _make(design, prototype, partial)
            partial.rename(home)
    return home / _LIBRARY


def _make(design: Verilog, prototype: Prototype, home: Path) -> None:
    objects = home / "obj"
    include = verilator().include
    own = (*_FLAGS, *verilator().include_options, f"-I{_OUTPUT.parent}", f"-I{objects}")
    with (
        Progress(f"building the board of {prototype.config.name}") as progress,
        Jobs(compiler()) as jobs,
    ):
        progress.step = "Verilator"
        verilated = jobs.call(lambda: verilate(design, objects, vcd=False))
        redirected = (*own, "-O1", "-include", str(_OUTPUT.with_suffix(".h")))
        units = [
            Unit(include / f"{name}.cpp", objects / f"{name}.o", redirected) for name in _RUNTIME
        ]
        jobs.finish([verilated])
        pieces = group(verilated.result(), objects, "piece", _PIECE_BYTES)
        pins = (
            f'-DTOP_HEADER="V{design.top}.h"',
            f"-DTOP_MODEL=V{design.top}",
            f"-DDIVISOR={prototype.divisor}",
        )
        units += [
            Unit(piece, piece.with_suffix(".o"), (*own, "-O2"), size)
            for piece, size in pieces.items()
        ]
        units += [
            Unit(source, objects / f"{source.stem}.o", (*own, *pins, "-O2"))
            for source in (_SOURCE, _OUTPUT)
        ]

        def report(done: int, count: int) -> None:
            progress.step = f"compiling, {done} of {count} files"

        jobs.finish(jobs.start(units), report)
        progress.step = "linking"
        jobs.link([unit.target for unit in units], home / _LIBRARY)
    shutil.rmtree(objects)
