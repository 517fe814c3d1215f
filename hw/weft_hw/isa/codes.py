"""Codes: what a command is, who runs it, how it ends; and the header of all commands."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ..enums import enum

__all__ = ["CommandHeader", "Engine", "Opcode", "Status", "VectorOutput"]


class Opcode(enum.Enum, shape=unsigned(8)):
    """What a command does. ``ENGINE_OF`` says who runs it; FENCE is run by the control node."""

    NOP = 0
    FENCE = 1
    LOAD = 2
    MATMUL = 3
    VECTOR = 4
    STORE = 5
    GATHER = 6
    FILL = 7
    PROGRAM = 8
    RUN = 9


class Engine(enum.Enum, shape=unsigned(2)):
    """The four engines of a tile."""

    LOAD = 0
    MATMUL = 1
    VECTOR = 2
    STORE = 3


class Status(enum.Enum, shape=unsigned(4)):
    """How a command ended. The first one that is neither OK nor ABORTED stops the queue."""

    OK = 0
    ABORTED = 1
    """Not run (or cut short) because an earlier command failed or the host reset the queue."""
    ILLEGAL_OPCODE = 2
    """The opcode names no command, or one that is not built in."""
    ILLEGAL_FIELD = 3
    """A size is zero, or an endpoint, a format, an output mode or a kind of load is not built
    in."""
    ILLEGAL_TILE = 4
    """The tile is outside the mesh."""
    LOCAL_RANGE = 5
    """A scratchpad or accumulator row beyond the memory's end."""
    WINDOW = 6
    """A memory address that no access window grants."""
    BUS = 7
    """The memory answered with an AXI error."""
    SEMAPHORE_OVERFLOW = 8
    """A signal to a semaphore that already held ``SEMAPHORE_MAX``."""
    RING_OVERRUN = 9
    """The tail register ran further ahead of the head than the ring is long."""
    FETCH_BUS = 10
    """Fetching a command or writing a completion met an AXI error."""
    WATCHDOG = 11
    """No command completed within the watchdog's limit while some were in flight."""
    MISALIGNED = 12
    """Ring base or completion address not a multiple of 64 bytes."""
    INDEX = 13
    """A gather's index is not below its limit."""
    ILLEGAL_INSTRUCTION = 14
    """A microprogram left its store, nested loops or named an operation there is not."""


class VectorOutput(enum.Enum, shape=unsigned(2)):
    """What the vector engine writes to the scratchpad."""

    INT8 = 0
    """``sat8(clamp(round_half_even(float32(acc + bias) * scale) + zero_point + residual))``."""
    INT32 = 1
    """``acc + bias``, four scratchpad rows (C x 4 bytes / row_bytes) for each accumulator row."""


class CommandHeader(data.Struct):
    """First 64 bits of every command."""

    opcode: Opcode
    tile_x: unsigned(4)
    tile_y: unsigned(4)
    reserved: unsigned(16)
    wait: unsigned(16)
    """Semaphores to take, one count each, before the command starts."""
    signal: unsigned(16)
    """Semaphores to give, one count each, when the command is done."""
