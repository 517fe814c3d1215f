"""Command fetch (``control/fetch.py``): reads the ring in bursts ahead of the dispatcher."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from weft_hw.axi.bursts import PAGE_BYTES
from weft_hw.isa import COMMAND_BYTES, Status

from ..decode import Command, decode
from ..port import READ
from ..timing import TIMING

if TYPE_CHECKING:
    from .queue import CommandQueue

__all__ = ["RingFetch"]

_MASK = (1 << 32) - 1
#: control/fetch.py _BUFFER_CHUNKS and _BURST_COMMANDS.
_BUFFER_CHUNKS = 128
_BURST_COMMANDS = 8


class RingFetch:
    """Asks for bursts of commands while there is room; gives each to the dispatcher when it is
    whole.

    ``head`` counts commands received, ``quiet`` says that no burst is on its way.
    """

    def __init__(self, queue: CommandQueue) -> None:
        self.queue = queue
        self.chip = queue.chip
        self.events = queue.events
        flit = self.chip.config.flit_bytes
        self.chunks = COMMAND_BYTES // min(flit, COMMAND_BYTES)
        self._most = min(_BURST_COMMANDS, _BUFFER_CHUNKS // self.chunks // 8)
        if flit > COMMAND_BYTES:
            self._most = 1
        self.clear()

    def clear(self) -> None:
        """Forgets everything; only while quiet."""
        self.head = 0
        self.issued = 0
        self._on_way = 0
        self._room = _BUFFER_CHUNKS
        self._waiting: int | None = None
        self._failed = False
        self._epoch = getattr(self, "_epoch", 0) + 1
        self._plan_at = -1

    @property
    def quiet(self) -> bool:
        return not self._on_way

    @property
    def pending(self) -> bool:
        """There is something to fetch."""
        return self.queue.tail != self.issued

    def wake(self, cycle: int) -> None:
        """The machine may plan in ``cycle``: the tail has moved, or the queue may run."""
        if self._waiting is None and self._plan_at < self.events.now:
            self._plan_at = cycle
            self.events.at(cycle, self._plan, self._epoch)

    def free(self, chunks: int) -> None:
        """The dispatcher has moved chunks out of the buffer."""
        self._room += chunks
        if self._waiting is not None:
            self.events.after(1, self._issue, self._epoch)

    def _plan(self, epoch: int) -> None:
        if epoch != self._epoch:
            return
        # a tail written in this very cycle is seen in the next
        self._plan_at = -1
        if not self.queue.fetching or not self.pending or self._failed:
            return
        values = self.chip.registers.values
        base, log2 = self.chip.registers.pair("QUEUE_BASE"), values["QUEUE_LOG2"]
        span = (self.queue.tail - self.head) & _MASK
        limit = self.chip.config.host.max_ring_entries
        status = Status.OK
        if base % COMMAND_BYTES:
            status = Status.MISALIGNED
        elif 1 << min(log2, 64) > limit:
            status = Status.ILLEGAL_FIELD
        elif span > 1 << log2:
            status = Status.RING_OVERRUN
        if status is not Status.OK:
            self._failed = True
            cycle = self.events.now + TIMING.fetch_check
            self.events.at(cycle, self.queue.fail, status, self.head)
            return
        available = (self.queue.tail - self.issued) & _MASK
        offset = self.issued % (1 << log2)
        address = (base + offset * COMMAND_BYTES) % (1 << self.chip.config.host.address_bits)
        to_page = (PAGE_BYTES - address % PAGE_BYTES) // COMMAND_BYTES
        self._waiting = min(self._most, available, (1 << log2) - offset, to_page)
        self._address = address
        self.events.after(TIMING.fetch_room, self._issue, self._epoch)

    def _issue(self, epoch: int) -> None:
        if epoch != self._epoch or self._waiting is None:
            return
        if not self.queue.fetching:
            self._waiting = None
            return
        count, address = self._waiting, self._address
        if self._room < count * self.chunks:
            return
        self._waiting = None
        self._room -= count * self.chunks
        self._on_way += count
        self.issued = (self.issued + count) & _MASK
        port = self.chip.host_port
        accepted = port.accept(self.events.now + 1)
        self.events.at(accepted + port.latency, self._move, epoch, count, address)
        self.wake(self.events.now + 1)

    def _move(self, epoch: int, count: int, address: int) -> None:
        flit = self.chip.config.flit_bytes
        span = count * COMMAND_BYTES
        first = address - address % flit
        failed = self.chip.device_memory.fails(first, -(-(address + span - first) // flit) * flit)
        for number in range(count):
            arrived = partial(self._arrived, epoch, address + number * COMMAND_BYTES, failed)
            self.chip.host_port.add(READ, self.chunks, arrived)

    def _arrived(self, epoch: int, address: int, failed: bool) -> None:
        """The last beat of a command."""
        if epoch != self._epoch:
            return
        self._on_way -= 1
        index = self.head
        self.head = (self.head + 1) & _MASK
        raw = bytes(COMMAND_BYTES)
        if not failed:
            raw = self.chip.device_memory.read(address, COMMAND_BYTES)
        self.chip.counts["host_bytes_read"] += self.chunks * self.chip.config.flit_bytes
        command: Command = decode(raw, index)
        self.events.after(TIMING.fetch_deliver, self.queue.dispatcher.receive, command, failed)
        self.queue.settle()
