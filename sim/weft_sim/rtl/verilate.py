"""Verilog to C++: what Verilator is told.

Lint warnings stop the build but for the named waivers.
Shared modules are kept as modules and their inputs as signals, so that identical rows and tiles
become the same function and are compiled once: Verilator would put a neighbour's output in the
place of an input otherwise. Two of its optimisations name their results by instance (the data-flow
graph, lookup tables), which makes every instance another function again; they are off. C++ of
``mesh16``: 208 MB with them and inputs that go, 25 MB so.
"""

import subprocess
from pathlib import Path

from weft_hw.verilog import LINT_WAIVERS, Verilog

from .errors import BuildError
from .ports import top_ports
from .toolchain import verilator

__all__ = ["control_file", "options", "verilate"]

_MAX_ERROR_LINES = 6


def control_file(design: Verilog) -> str:
    """The Verilator control file: waivers, and the modules to keep with their inputs."""
    lines = ["`verilator_config"]
    lines += [f"lint_off -rule {rule}" for rule in LINT_WAIVERS]
    lines += [f'no_inline -module "{name}"' for name in design.shared]
    lines += [
        f'public_flat_rd -module "{name}" -var "{port.name}"'
        for name in design.shared
        for port in top_ports(design.text, name).values()
        if port.direction == "input" and port.name != "clk"
    ]
    return "\n".join(lines) + "\n"


def options(top: str, *, vcd: bool) -> list[str]:
    """Verilator's options: C++ in pieces that two compilers can share, assertions on, no delays."""
    fixed = (
        f"--cc --top-module {top} --prefix V{top} --assert --no-timing -O3 -fno-dfg -fno-table "
        "--x-assign fast --x-initial fast --output-split 20000 --output-split-cfuncs 5000"
    )
    return [*fixed.split(), *(["--trace-vcd"] if vcd else [])]


def verilate(design: Verilog, folder: Path, *, vcd: bool) -> list[Path]:
    """Writes the C++ of ``design`` to ``folder`` and returns its source files.

    Raises
    ------
    BuildError
        with Verilator's first messages.
    """
    tool = verilator()
    source, control = folder / f"{design.top}.v", folder / f"{design.top}.vlt"
    source.write_text(design.text)
    control.write_text(control_file(design))
    arguments = [*options(design.top, vcd=vcd), "-Mdir", str(folder), str(control), str(source)]
    done = subprocess.run(
        [str(tool.binary), *arguments],
        env=tool.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("%")]
        raise BuildError(f"Verilator refused {design.top}: " + "\n".join(lines[:_MAX_ERROR_LINES]))
    return sorted(folder.glob(f"V{design.top}*.cpp"))
