"""Runs a block cycle by cycle in Verilator, as RTL or as mapped gates, on the same stimulus.

A wrapper packs all inputs into one vector and all outputs into another, so that one small C++
driver serves every block. The clock is the
port ``clk``; a row of stimulus is applied before a rising edge and the outputs are taken after it,
settled.
"""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from weft_sim.rtl.toolchain import compiler, verilator

from .errors import FlowError

__all__ = ["Port", "Simulation", "build", "pack_stimulus"]

_DRIVER = r"""
#include "Vwrap.h"
#include "verilated.h"
#include <cstdio>
#include <cstdlib>
#include <vector>
int main(int, char** argv) {
  VerilatedContext context;
  context.randReset(atoi(argv[3]));
  Vwrap top{&context};
  FILE* in = fopen(argv[1], "rb");
  FILE* out = fopen(argv[2], "wb");
  if (!in || !out) return 3;
  std::vector<uint32_t> row(IN_WORDS);
  while (fread(row.data(), 4, IN_WORDS, in) == IN_WORDS) {
    for (int i = 0; i < IN_WORDS; ++i) top.stimulus[i] = row[i];
    top.clk = 0;
    top.eval();
    top.clk = 1;
    top.eval();
    for (int i = 0; i < OUT_WORDS; ++i) { uint32_t word = top.response[i]; fwrite(&word, 4, 1, out);
    }
  }
  top.final();
  return fclose(out);
}
"""


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the block, clock excluded."""

    name: str
    bits: int


def pack_stimulus(ports: list[Port], values: dict[str, np.ndarray]) -> np.ndarray:
    """Bits (cycles, sum of port bits) bool from port values: bool (cycles, bits), or integers of up
    to 64 bits (cycles,).

    Ports not given are zero.
    """
    cycles = len(next(iter(values.values())))
    columns = []
    for port in ports:
        value = values.get(port.name)
        if value is None:
            columns.append(np.zeros((cycles, port.bits), dtype=bool))
        elif value.ndim == 2:
            columns.append(value.astype(bool))
        else:
            shifts = np.arange(port.bits, dtype=np.uint64)
            words = value.astype(np.int64).view(np.uint64)
            columns.append(((words[:, None] >> shifts) & np.uint64(1)).astype(bool))
    return np.concatenate(columns, axis=1)


@dataclass(frozen=True, slots=True)
class Simulation:
    """A compiled block. ``run`` takes and gives bits (cycles, bits) bool, ports side by side, bit 0
    first."""

    program: Path
    in_bits: int
    out_bits: int

    def run(self, stimulus: np.ndarray, folder: Path, power_up: int = 0) -> np.ndarray:
        """Applies one row of bits a cycle; returns the outputs' bits after each rising edge. Every
        bit of state without an initial value starts as ``power_up``.

        Raises
        ------
        FlowError
            if the program fails.
        """
        words = _words(self.in_bits)
        padded = np.zeros((len(stimulus), words * 32), dtype=np.uint8)
        padded[:, : self.in_bits] = stimulus
        given, taken = folder / "stimulus.bin", folder / "response.bin"
        given.write_bytes(np.packbits(padded, axis=1, bitorder="little").tobytes())
        result = subprocess.run([self.program, given, taken, str(power_up)], check=False)
        if result.returncode:
            raise FlowError(f"the simulation {self.program} stopped with {result.returncode}")
        raw = np.fromfile(taken, dtype=np.uint8).reshape(len(stimulus), -1)
        given.unlink()
        taken.unlink()
        return np.unpackbits(raw, axis=1, bitorder="little")[:, : self.out_bits].astype(bool)


def _words(bits: int) -> int:
    # at least three 32-bit words, so that Verilator makes it an array whatever the block
    return max(3, -(-bits // 32))


def _wrapper(top: str, inputs: list[Port], outputs: list[Port], has_clock: bool) -> str:
    in_bits, out_bits = (sum(port.bits for port in ports) for ports in (inputs, outputs))
    connections = [".clk(clk)"] if has_clock else []
    at = 0
    for port in inputs:
        connections.append(f".{port.name}(stimulus[{at + port.bits - 1}:{at}])")
        at += port.bits
    at = 0
    for port in outputs:
        connections.append(f".{port.name}(response[{at + port.bits - 1}:{at}])")
        at += port.bits
    in_top, out_top = (32 * _words(bits) - 1 for bits in (in_bits, out_bits))
    return (
        f"module wrap(input clk, input [{in_top}:0] stimulus, output [{out_top}:0] response);\n"
        f"  assign response[{out_top}:{out_bits}] = 0;\n"
        f"  {top} dut({', '.join(connections)});\nendmodule\n"
    )


def build(
    verilog: str, top: str, inputs: list[Port], outputs: list[Port], folder: Path
) -> Simulation:
    """Compiles a block; the same text is compiled once.

    Raises
    ------
    ToolchainError
        if Verilator or the compiler is missing.
    FlowError
        if one of them stops.
    """
    text = verilog + _wrapper(top, inputs, outputs, has_clock=True)
    in_bits, out_bits = (sum(port.bits for port in ports) for ports in (inputs, outputs))
    key = hashlib.sha256((_DRIVER + text).encode()).hexdigest()[:16]
    place = folder / f"sim_{key}"
    program = place / "Vwrap"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{place}.lock"):
        if not program.is_file():
            _compile(text, _words(in_bits), _words(out_bits), place, program)
    return Simulation(program, in_bits, out_bits)


def _compile(text: str, in_words: int, out_words: int, place: Path, program: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / "wrap.v").write_text(text)
    (place / "driver.cpp").write_text(_DRIVER)
    tool = verilator()
    _call(
        [
            str(tool.binary), "--cc", "--Mdir", str(place), "--top-module", "wrap", "-Wno-fatal",
            "-Wno-lint", "-Wno-style", "-Wno-MULTITOP", "--no-assert", "--output-split", "0", "-O3",
            str(place / "wrap.v"),
        ],
        place / "verilator.log",
        tool.environment,
    )  # fmt: skip
    # one unit: reading Verilator's headers takes longer than compiling what it wrote
    whole = place / "whole.cpp"
    parts = [place / "driver.cpp", *sorted(place.glob("Vwrap*.cpp"))]
    whole.write_text("".join(f'#include "{part.name}"\n' for part in parts))
    flags = ["-std=c++17", *tool.include_options]
    _call(
        [
            compiler(), "-O0", *flags, f"-I{place}",
            f"-DIN_WORDS={in_words}", f"-DOUT_WORDS={out_words}",
            str(whole),
            *_runtime(tool.include, flags, place.parent), "-pthread", "-o", f"{program}.part",
        ],
        place / "compile.log",
        None,
    )  # fmt: skip
    Path(f"{program}.part").rename(program)


def _runtime(include: Path, flags: list[str], folder: Path) -> list[str]:
    """Verilator's own objects, compiled once beside the simulations."""
    place = folder / f"runtime_{verilator().version}"
    place.mkdir(parents=True, exist_ok=True)
    objects = []
    with FileLock(f"{place}.lock"):
        for name in ("verilated", "verilated_threads"):
            target = place / f"{name}.o"
            if not target.is_file():
                part = f"{target}.part"
                source = str(include / f"{name}.cpp")
                _call([compiler(), "-O1", *flags, "-c", source, "-o", part], place / "log", None)
                Path(part).rename(target)
            objects.append(str(target))
    return objects


def _call(command: list[str], log: Path, environment: dict[str, str] | None) -> None:
    with log.open("w") as out:
        result = subprocess.run(
            command, stdout=out, stderr=subprocess.STDOUT, env=environment, check=False
        )
    if result.returncode:
        tail = " / ".join(log.read_text().splitlines())[-400:]
        raise FlowError(f"{Path(command[0]).name} stopped (log: {log}): {tail}")
