"""The command ring and the completion records in host memory, and the registers that go with
them.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from weft_hw.isa import COMMAND_BYTES, CompletionRecord, Opcode
from weft_sim.target import Target

from .commands import pack, unpack_record
from .event import Event
from .registers import Registers

__all__ = ["RECORD_BYTES", "CommandRing"]

#: From the layout, rounded to what the record's docstring says: half a command.
RECORD_BYTES = -(-CompletionRecord.as_shape().size // 8)

_INDEX_BITS = 32


class CommandRing:
    """Writes commands behind the tail, reads completion records in order.

    Parameters
    ----------
    base
        Address of the ring, a multiple of 64; the completion records follow it.
    entries
        Commands the ring holds, a power of two.
    """

    def __init__(self, target: Target, registers: Registers, *, base: int, entries: int) -> None:
        self._memory = target.memory
        self._registers = registers
        self.base = base
        self.entries = entries
        self.records_base = base + entries * COMMAND_BYTES
        # every submission has at least a fence, so more records than this cannot be outstanding
        self.records = entries
        self.limit = self.records_base + self.records * RECORD_BYTES
        self._sequence = 0
        self.restart()

    def restart(self) -> None:
        """Tells the device where the ring is and enables it; for a queue that was reset."""
        self.tail = 0
        self._head = 0
        self.pending: deque[Event] = deque()
        registers = self._registers
        registers.write_wide("QUEUE_BASE", self.base)
        registers.write("QUEUE_LOG2", self.entries.bit_length() - 1)
        registers.write_wide("COMPLETION_BASE", self.records_base)
        registers.write("COMPLETION_LOG2", self.records.bit_length() - 1)
        registers.write("CONTROL", 1)

    def next_sequence(self) -> int:
        """Sequence number for the next fence: 1 to 2**32 - 1, so never what empty records hold."""
        self._sequence = self._sequence % (2**_INDEX_BITS - 1) + 1
        return self._sequence

    @staticmethod
    def fence(sequence: int) -> bytes:
        """The fence that ends a submission, with interrupt."""
        return pack(Opcode.FENCE, sequence=sequence, interrupt=1)

    def free_entries(self) -> int:
        """Ring entries that may be written now."""
        if self.tail - self._head >= self.entries:
            head = self._registers.read("HEAD")
            self._head += (head - self._head) % 2**_INDEX_BITS
        return self.entries - (self.tail - self._head)

    def write(self, commands: np.ndarray) -> None:
        """Puts commands behind the tail (there must be room) and rings the doorbell."""
        slots = (self.tail + np.arange(len(commands))) % self.entries
        ring = self._memory[self.base : self.records_base].reshape(self.entries, COMMAND_BYTES)
        ring[slots] = commands
        self.tail += len(commands)
        self._registers.write("TAIL", self.tail % 2**_INDEX_BITS)

    def reap(self) -> None:
        """Completes events whose records have arrived, in order."""
        while self.pending:
            event = self.pending[0]
            address = self.records_base + event.sequence % self.records * RECORD_BYTES
            record = unpack_record(self._memory[address : address + RECORD_BYTES])
            if record["sequence"] != event.sequence:
                return
            event.complete(record["cycle"])
            self.pending.popleft()
