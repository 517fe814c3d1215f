"""The instruction set, the one definition that hardware, driver and models share.

A command is 64 bytes, little-endian, in a ring in host memory. All commands begin with
``CommandHeader``; the rest of the layout depends on the opcode. Fields are listed from the least
significant bit up; bits not named are zero.

Order. The control node hands commands to the tiles in ring order; each tile's engine runs its own
commands in order, and engines run beside each other, joined only by the tile's 16 counting
semaphores: a command starts when every semaphore in its ``wait`` mask is at least one (all are then
decremented together), and increments those in its ``signal`` mask when its last write is done. **A
program in which every wait is met by signals of commands earlier in ring order cannot deadlock**,
whatever the queue depths: the oldest unfinished command always can run.

Local addresses count rows: a scratchpad row holds ``row_bytes`` (R operands), an accumulator row C
lanes of 32 bits. Memory addresses count bytes and need no alignment.
"""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from .config import COMMAND_BYTES
from .enums import enum

__all__ = ["COMMANDS", "COMMAND_BITS", "COMMAND_BYTES", "ENGINE_OF", "SEMAPHORE_MAX",
           "CommandHeader", "CommandWord", "CompletionRecord", "Engine", "FenceCommand",
           "LoadCommand", "MatmulCommand", "NopCommand", "Opcode", "Status", "StoreCommand",
           "VectorCommand", "VectorOutput"]

COMMAND_BITS = 8 * COMMAND_BYTES

#: Largest value of a semaphore; one more signal is an error.
SEMAPHORE_MAX = 255


class Opcode(enum.Enum, shape=unsigned(8)):
    """What a command does. ``ENGINE_OF`` says who runs it; FENCE is run by the control node."""

    NOP = 0
    FENCE = 1
    LOAD = 2
    MATMUL = 3
    VECTOR = 4
    STORE = 5


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
    """The opcode names no command."""
    ILLEGAL_FIELD = 3
    """A size is zero, or an endpoint, format or output mode is not built in."""
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


class NopCommand(data.Struct):
    """Does nothing on ``engine`` but wait, signal and complete."""

    header: CommandHeader
    engine: Engine


class FenceCommand(data.Struct):
    """Waits until every earlier command has completed, then writes a record to the host."""

    header: CommandHeader
    sequence: unsigned(32)
    """Copied into the record."""
    interrupt: unsigned(1)
    """Raise the completion interrupt after the record's write response."""


class _Transfer(data.Struct):
    """``rows`` rows of ``row_bytes`` bytes between memory and scratchpad.

    Row ``i`` lies at ``memory_address + i * memory_stride`` and begins at scratchpad row
    ``local_row + i * local_stride``, filling ``ceil(row_bytes / scratchpad row)`` rows. A load
    fills the rest of the last one with zeros; a store writes exactly ``row_bytes`` bytes.
    """

    header: CommandHeader
    memory_address: unsigned(64)
    memory_stride: unsigned(32)
    row_bytes: unsigned(16)
    rows: unsigned(16)
    local_row: unsigned(32)
    local_stride: unsigned(16)
    endpoint: unsigned(4)
    """Which memory endpoint (west edge, row ``endpoint``) serves it."""


class LoadCommand(_Transfer):
    """Memory to scratchpad."""


class StoreCommand(_Transfer):
    """Scratchpad to memory."""


class MatmulCommand(data.Struct):
    """``acc[m, n] (+)= sum over k of a[m, k] * w[k, n]`` for an M x K by K x N block.

    ``a[m, kb*R : kb*R+R]`` is scratchpad row ``a_row + m * a_stride + kb``; ``w[k, nb*C : nb*C+C]``
    is scratchpad row ``w_row + k * w_stride + nb``; ``acc[m, nb*C : nb*C+C]`` is accumulator row
    ``acc_row + nb * acc_stride + m``. Operands beyond K and weights beyond N count as zero whatever
    the scratchpad holds. Blocks run with nb outermost, then kb, then m; block ``kb = 0`` overwrites
    unless ``accumulate``.
    """

    header: CommandHeader
    m: unsigned(16)
    k: unsigned(16)
    n: unsigned(16)
    acc_stride: unsigned(16)
    a_row: unsigned(32)
    w_row: unsigned(32)
    acc_row: unsigned(32)
    a_stride: unsigned(16)
    w_stride: unsigned(16)
    accumulate: unsigned(1)


class VectorCommand(data.Struct):
    """Reads an M x N block of accumulators, adds bias, writes it to the scratchpad (int8 or int32).

    Element ``[m, nb*C + c]`` is lane ``c`` of accumulator row ``acc_row + nb * acc_stride + m``.
    Output row ``m`` begins at scratchpad row ``out_row + m * out_stride`` and takes one scratchpad
    row for each nb (INT8) or ``4*C / row_bytes`` of them (INT32), nb in order. ``bias`` (int32) and
    ``scale`` (float32) are vectors of N in the scratchpad, packed from ``bias_row`` and
    ``scale_row`` on. ``residual[m, nb*C : nb*C+C]`` (int8) is scratchpad row
    ``residual_row + m * residual_stride + nb``. ReLU is ``clamp_min = zero_point``.
    """

    header: CommandHeader
    m: unsigned(16)
    n: unsigned(16)
    acc_stride: unsigned(16)
    out_stride: unsigned(16)
    acc_row: unsigned(32)
    out_row: unsigned(32)
    bias_row: unsigned(32)
    scale_row: unsigned(32)
    residual_row: unsigned(32)
    residual_stride: unsigned(16)
    zero_point: signed(8)
    clamp_min: signed(8)
    clamp_max: signed(8)
    output: VectorOutput
    use_bias: unsigned(1)
    use_residual: unsigned(1)


#: Opcode -> layout of its command.
COMMANDS = {
    Opcode.NOP: NopCommand,
    Opcode.FENCE: FenceCommand,
    Opcode.LOAD: LoadCommand,
    Opcode.MATMUL: MatmulCommand,
    Opcode.VECTOR: VectorCommand,
    Opcode.STORE: StoreCommand,
}


#: Opcode -> engine that runs it. NOP names its engine itself; FENCE runs in the control node.
ENGINE_OF = {
    Opcode.LOAD: Engine.LOAD,
    Opcode.MATMUL: Engine.MATMUL,
    Opcode.VECTOR: Engine.VECTOR,
    Opcode.STORE: Engine.STORE,
}


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
