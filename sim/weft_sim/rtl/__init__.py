"""The compiled RTL target: the chip as Verilator compiles it, behind a small C++ harness.

``RtlTarget(config, dram)`` elaborates the chip, builds a shared library (or finds it in the
cache) and runs it. See ``target.py`` for the timing contract and ``build.py`` for what is built
and where it is kept.
"""

from .errors import (
    AxiProtocolError,
    BuildError,
    HardwareAssertionError,
    RegisterError,
    RtlError,
    ToolchainError,
)
from .target import RtlTarget

__all__ = [
    "AxiProtocolError",
    "BuildError",
    "HardwareAssertionError",
    "RegisterError",
    "RtlError",
    "RtlTarget",
    "ToolchainError",
]
