"""Completion records (``control/record.py``): what a fence leaves in host memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.lib import data
from weft_hw.isa import CompletionRecord, Status

from ..decode import Command, encode_record
from ..port import WRITE
from ..timing import TIMING

if TYPE_CHECKING:
    from .queue import CommandQueue

__all__ = ["RecordWriter"]

_RECORD_BYTES = data.Layout.cast(CompletionRecord).size // 8
_BASE_BYTES = 64


class RecordWriter:
    """Writes records in order; several may wait for the memory's answer."""

    def __init__(self, queue: CommandQueue) -> None:
        self.queue = queue
        self.chip = queue.chip
        self.events = queue.events
        self._beats = max(1, _RECORD_BYTES // self.chip.config.flit_bytes)
        self.clear()

    def clear(self) -> None:
        self.sequence = 0
        self.busy_until = -1
        self._owed = 0

    @property
    def quiet(self) -> bool:
        return not self._owed

    def fault(self) -> Status:
        """Why records cannot be written; OK if they can."""
        registers = self.chip.registers
        if registers.pair("COMPLETION_BASE") % _BASE_BYTES:
            return Status.MISALIGNED
        if (
            1 << min(registers.values["COMPLETION_LOG2"], 64)
            > self.chip.config.host.max_ring_entries
        ):
            return Status.ILLEGAL_FIELD
        return Status.OK

    def write(self, command: Command) -> None:
        """A fence whose earlier commands have all ended."""
        now = self.events.now
        self._owed += 1
        self.busy_until = now + self._beats
        registers = self.chip.registers
        slot = command.fields.sequence % (1 << registers.values["COMPLETION_LOG2"])
        address = registers.pair("COMPLETION_BASE") + _RECORD_BYTES * slot
        raw = encode_record(
            sequence=command.fields.sequence,
            status=Status.OK.value,
            index=command.index,
            cycle=now,
        )
        self.queue.fenced()
        port = self.chip.host_port
        first = port.accept(now + 1) + 1
        self.events.at(
            first,
            lambda: port.add(WRITE, self._beats, lambda: self._moved(command, address, raw)),
        )

    def _moved(self, command: Command, address: int, raw: bytes) -> None:
        """The last beat has reached the memory."""
        flit = self.chip.config.flit_bytes
        aligned = address - address % flit
        failed = self.chip.device_memory.fails(aligned, self._beats * flit)
        if not failed:
            self.chip.device_memory.write(address, raw)
        self.chip.counts["host_bytes_written"] += len(raw)
        port = self.chip.host_port
        answered = port.accept(self.events.now + port.latency)
        self.events.at(answered + TIMING.record_confirm, self._confirmed, command, failed)

    def _confirmed(self, command: Command, failed: bool) -> None:
        self._owed -= 1
        if failed:
            self.queue.fail(Status.FETCH_BUS, command.index)
        else:
            self.sequence = command.fields.sequence
            if command.fields.interrupt:
                self.queue.completion_interrupt()
        self.queue.progress()
        self.queue.settle()
