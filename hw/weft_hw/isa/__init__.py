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

Local addresses of transfers count scratchpad rows of ``row_bytes``; those of operands count units
of the operand's format (``formats.table``), which are rows or fractions of one. An accumulator row
holds C lanes of 32 bits. Memory addresses count bytes and need no alignment.
"""

from ..config import COMMAND_BYTES
from .codes import CommandHeader, Engine, Opcode, Status, VectorOutput
from .compute import (
    FenceCommand,
    MatmulCommand,
    NopCommand,
    ProgramCommand,
    RunCommand,
    StreamOperand,
    VectorCommand,
)
from .table import (
    COMMAND_BITS,
    COMMANDS,
    ENGINE_OF,
    SEMAPHORE_MAX,
    CommandWord,
    CompletionRecord,
    engine_of,
)
from .transfers import FillCommand, GatherCommand, LoadCommand, StoreCommand

__all__ = ["COMMANDS", "COMMAND_BITS", "COMMAND_BYTES", "ENGINE_OF", "SEMAPHORE_MAX",
           "CommandHeader", "CommandWord", "CompletionRecord", "Engine", "FenceCommand",
           "FillCommand", "GatherCommand", "LoadCommand", "MatmulCommand", "NopCommand", "Opcode",
           "ProgramCommand", "RunCommand", "Status", "StoreCommand", "StreamOperand",
           "VectorCommand", "VectorOutput", "engine_of"]
