"""Opcode to layout and engine; what passes inside a tile and what a fence writes."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ..config import COMMAND_BYTES
from .codes import Engine, Opcode
from .compute import (
    FenceCommand,
    MatmulCommand,
    NopCommand,
    ProgramCommand,
    RunCommand,
    VectorCommand,
)
from .transfers import FillCommand, GatherCommand, LoadCommand, StoreCommand

__all__ = ["COMMANDS", "COMMAND_BITS", "ENGINE_OF", "SEMAPHORE_MAX", "CommandWord",
           "CompletionRecord", "engine_of"]

COMMAND_BITS = 8 * COMMAND_BYTES

#: Largest value of a semaphore; one more signal is an error.
SEMAPHORE_MAX = 255

#: Opcode -> layout of its command.
COMMANDS = {
    Opcode.NOP: NopCommand,
    Opcode.FENCE: FenceCommand,
    Opcode.LOAD: LoadCommand,
    Opcode.MATMUL: MatmulCommand,
    Opcode.VECTOR: VectorCommand,
    Opcode.STORE: StoreCommand,
    Opcode.GATHER: GatherCommand,
    Opcode.FILL: FillCommand,
    Opcode.PROGRAM: ProgramCommand,
    Opcode.RUN: RunCommand,
}


#: Opcode -> engine that runs it. NOP names its engine itself; FENCE runs in the control node.
ENGINE_OF = {
    Opcode.LOAD: Engine.LOAD,
    Opcode.MATMUL: Engine.MATMUL,
    Opcode.VECTOR: Engine.VECTOR,
    Opcode.STORE: Engine.STORE,
    Opcode.GATHER: Engine.LOAD,
    Opcode.FILL: Engine.LOAD,
    Opcode.PROGRAM: Engine.VECTOR,
    Opcode.RUN: Engine.VECTOR,
}


def engine_of(config) -> dict:
    """``ENGINE_OF`` of the opcodes that a chip has built in: microprograms need floating point,
    gathers and fills ``tensor_loads``."""
    absent = () if config.tile.has_float else (Opcode.PROGRAM, Opcode.RUN)
    if not config.tile.tensor_loads:
        absent += (Opcode.GATHER, Opcode.FILL)
    return {opcode: engine for opcode, engine in ENGINE_OF.items() if opcode not in absent}


class CompletionRecord(data.Struct):
    """What a fence writes to host memory: 32 bytes at
    ``completion base + 32 * (sequence mod completion entries)``."""

    sequence: unsigned(32)
    status: unsigned(32)
    index: unsigned(32)
    """Ring index of the fence."""
    reserved: unsigned(32)
    cycle: unsigned(64)
    """The chip's cycle counter when the last earlier command had completed."""
    reserved_high: unsigned(64)


class CommandWord(data.Struct):
    """A command on its way inside a tile: the 64 bytes and its index in the ring (free-running)."""

    bits: COMMAND_BITS
    index: unsigned(32)
