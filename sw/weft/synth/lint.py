"""Verilator's lint over generated Verilog, with the named waivers only."""

import subprocess
from pathlib import Path

from weft_hw.verilog import LINT_WAIVERS
from weft_sim.rtl.toolchain import verilator

__all__ = ["lint"]


def lint(verilog: Path, top: str) -> list[str]:
    """Messages of Verilator's lint on a file, none if it is clean but for ``LINT_WAIVERS``.

    Raises
    ------
    ToolchainError
        if Verilator is missing.
    RuntimeError
        if it stops without a message.
    """
    tool = verilator()
    waived = [f"-Wno-{rule}" for rule in LINT_WAIVERS]
    command = [str(tool.binary), "--lint-only", *waived, "--top-module", top, str(verilog)]
    result = subprocess.run(
        command, env=tool.environment, capture_output=True, text=True, check=False
    )
    messages = [line for line in result.stderr.splitlines() if line.startswith("%")]
    if result.returncode and not messages:
        raise RuntimeError(f"Verilator stopped while linting {verilog}: {result.stderr.strip()}")
    return messages
