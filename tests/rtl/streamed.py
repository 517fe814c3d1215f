"""A component compiled with a driver that feeds it a row of numbers every cycle: millions of
vectors a second, without Python in between.

``Streamed(component, "name").run(a=..., b=...)`` applies row i of every input before rising edge i
and returns what every output shows, settled, just before that edge. Inputs that are not given are
zero. A port of up to 32 bits is one uint32 a row, a wider one as many as it needs, lowest first.
"""

import ctypes
import hashlib
import os
import secrets
import shutil

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from filelock import FileLock
from weft_hw.verilog import to_verilog
from weft_sim.bench.runner import build_root
from weft_sim.rtl.compile import Jobs, Unit
from weft_sim.rtl.runtime import runtime
from weft_sim.rtl.toolchain import compiler, verilator
from weft_sim.rtl.verilate import control_file, verilate

__all__ = ["Streamed", "seeded"]

_FLAGS = (
    "-std=gnu++20 -fPIC -O2 -DVL_TIME_CONTEXT -DVERILATOR=1 -DVM_TRACE=0 -DVM_TRACE_VCD=0 "
    "-DVM_COVERAGE=0 -DVM_SC=0 -DVM_TIMING=0"
).split()
_DRIVER = """
#include "V{name}.h"
#include "verilated.h"
extern "C" void run(const uint32_t* in, uint32_t* out, uint64_t rows) {{
  VerilatedContext context;
  V{name} top{{&context}};
  top.rst = 0;
  for (uint64_t row = 0; row < rows; ++row) {{
    top.clk = 0;
    for (int i = 0; i < {inputs}; ++i) top.stimulus[i] = *in++;
    top.eval();
    for (int i = 0; i < {outputs}; ++i) *out++ = top.response[i];
    top.clk = 1;
    top.eval();
  }}
  top.final();
}}
"""
#: Words of the narrowest port that Verilator makes an array.
_LEAST_WORDS = 3


def seeded():
    """Random numbers; the seed is ``WEFT_SEED`` or a new one, and printed."""
    seed = int(os.environ.get("WEFT_SEED") or secrets.randbits(32))
    print(f"WEFT_SEED={seed}")
    return np.random.default_rng(seed)


class _Wrapped(wiring.Component):
    def __init__(self, component, inputs, outputs):
        self.component, self.inputs, self.outputs = component, inputs, outputs
        super().__init__(
            {"stimulus": In(32 * _words(inputs)), "response": Out(32 * _words(outputs))}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.component = self.component
        at = 0
        for name, bits in self.inputs.items():
            m.d.comb += getattr(self.component, name).eq(self.stimulus[at : at + bits])
            at += 32 * -(-bits // 32)
        at = 0
        for name, bits in self.outputs.items():
            m.d.comb += self.response[at : at + bits].eq(getattr(self.component, name))
            at += 32 * -(-bits // 32)
        return m


def _words(ports):
    return max(_LEAST_WORDS, sum(-(-bits // 32) for bits in ports.values()))


class Streamed:
    """``component`` has flat ports and a clock; it is built once for equal Verilog."""

    def __init__(self, component, name):
        ports = {"In": {}, "Out": {}}
        for member_name, member in component.signature.members.items():
            ports[member.flow.name][member_name] = len(getattr(component, member_name))
        self.inputs, self.outputs = ports["In"], ports["Out"]
        design = to_verilog(_Wrapped(component, self.inputs, self.outputs), name)
        driver = _DRIVER.format(name=name, inputs=_words(self.inputs), outputs=_words(self.outputs))
        parts = (design.text, control_file(design), driver, verilator().version)
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
        home = build_root() / "streamed" / f"{name}-{key}"
        home.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{home}.lock"):
            if not home.is_dir():
                _build(design, driver, home)
        self._run = ctypes.CDLL(str(home / "streamed.so")).run
        self._run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64]
        self._run.restype = None

    def run(self, **values):
        """Rows of inputs, (rows,) or (rows, words), to a dict of rows of outputs, uint32."""
        rows = len(next(iter(values.values())))
        stimulus = np.zeros((rows, _words(self.inputs)), np.uint32)
        at = 0
        for name, bits in self.inputs.items():
            words = -(-bits // 32)
            if name in values:
                value = np.ascontiguousarray(values.pop(name))
                stimulus[:, at : at + words] = value.reshape(rows, words)
            at += words
        if values:
            raise ValueError(f"inputs must be among {', '.join(self.inputs)}, not {list(values)}")
        response = np.zeros((rows, _words(self.outputs)), np.uint32)
        self._run(stimulus.ctypes.data, response.ctypes.data, rows)
        results, at = {}, 0
        for name, bits in self.outputs.items():
            words = -(-bits // 32)
            results[name] = response[:, at] if words == 1 else response[:, at : at + words]
            at += words
        return results


def _build(design, driver, home):
    partial = home.with_name(home.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    harness = partial / "output.h"
    harness.write_text("#pragma once\n")
    flags = (*_FLAGS, *verilator().include_options, f"-I{partial}")
    with Jobs(compiler()) as jobs:
        with runtime(jobs, home.parent, flags[:-1], output_header=harness, vcd=False) as library:
            sources = verilate(design, partial, vcd=False)
            main = partial / "driver.cpp"
            main.write_text(driver)
            units = [Unit(path, path.with_suffix(".o"), flags) for path in [*sources, main]]
            jobs.finish(jobs.start(units))
            jobs.link([*(unit.target for unit in units), *library()], partial / "streamed.so")
    for path in partial.iterdir():
        if path.name not in ("streamed.so", f"{design.top}.v"):
            path.unlink()
    partial.rename(home)
