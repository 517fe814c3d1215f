"""Fences: a completion record in host memory once every earlier command is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.lib import data
from weft_hw.isa import CompletionRecord, Status

from ..decode import Command, encode_record
from ..timing import TIMING

if TYPE_CHECKING:
    from .queue import CommandQueue

__all__ = ["Fence"]

_RECORD_BYTES = data.Layout.cast(CompletionRecord).size // 8


class Fence:
    """Writes one record at a time; ``busy`` until the memory has answered."""

    def __init__(self, queue: CommandQueue) -> None:
        self.queue = queue
        self.chip = queue.chip
        self.busy = False

    def begin(self, command: Command) -> None:
        self.busy = True
        registers = self.chip.registers
        entries = 1 << registers.values["COMPLETION_LOG2"]
        address = registers.pair("COMPLETION_BASE")
        address += _RECORD_BYTES * (command.fields.sequence % entries)
        raw = encode_record(
            sequence=command.fields.sequence,
            status=Status.OK.value,
            index=command.index,
            cycle=self.queue.last_completion_cycle,
        )
        self.chip.events.after(TIMING.record_issue, self._write, command, address, raw)

    def _write(self, command: Command, address: int, raw: bytes) -> None:
        answered = self.chip.host_write(address, len(raw))
        self.chip.events.at(answered, self._answered, command, address, raw)

    def _answered(self, command: Command, address: int, raw: bytes) -> None:
        self.busy = False
        if self.chip.device_memory.fails(address, len(raw)):
            self.queue.fence_done(command, Status.FETCH_BUS)
            return
        self.chip.device_memory.write(address, raw)
        self.queue.fence_done(command, Status.OK)
