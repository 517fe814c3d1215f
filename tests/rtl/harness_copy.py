"""Targets of the test chip, and programs for it."""

from functools import lru_cache

from harness_chip import REGISTERS, CopyChip
from weft_hw.presets import preset
from weft_hw.verilog import to_verilog
from weft_sim.dram import Dram
from weft_sim.rtl import RtlTarget

__all__ = ["NARROW", "WIDE", "copy_design", "copy_target", "fill", "start_copy", "write"]

#: Bytes a beat: memory ports, host port.
NARROW = {"memory_ports": 2, "memory_bytes": 4, "host_bytes": 8}
WIDE = {"memory_ports": 1, "memory_bytes": 32, "host_bytes": 128}


@lru_cache
def copy_design(memory_ports, memory_bytes, host_bytes):
    """The test chip's Verilog."""
    chip = CopyChip(memory_ports=memory_ports, memory_bytes=memory_bytes, host_bytes=host_bytes)
    return to_verilog(chip, "weft_chip")


def copy_target(shape=None, *, vcd=None, **dram):
    """A target of the test chip with a small memory."""
    dram = {"size_bytes": 1 << 20, "latency_cycles": 20, **dram}
    design = copy_design(**(shape or NARROW))
    return RtlTarget(preset("nano"), Dram(**dram), design=design, vcd=vcd)


def fill(target, rng):
    """Random memory; returns a copy of it."""
    target.memory[:] = rng.integers(0, 256, target.memory.size, dtype="u1")
    return target.memory.copy()


def write(target, **values):
    """Writes registers by name, in the order given."""
    for name, value in values.items():
        target.write_register(REGISTERS[name.upper()], value)


def start_copy(target, *, source, destination, beats, burst=16, stride=0, engines=1, **others):
    """Starts the engines of the mask ``engines``."""
    write(
        target,
        source=source,
        destination=destination,
        beats=beats,
        burst=burst - 1,
        stride=stride,
        **others,
        go=engines,
    )
