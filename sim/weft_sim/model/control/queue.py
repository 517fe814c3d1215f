"""The command queue: ring fetch, dispatch with credits, completions, errors, reset."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from weft_hw.control.registers import Interrupt, QueueState
from weft_hw.isa import COMMAND_BYTES, Opcode, Status
from weft_hw.isa import Engine as EngineId

from ..decode import Command, decode
from ..timing import TIMING
from .fence import Fence
from .watchdog import Watchdog

if TYPE_CHECKING:
    from ..target import ModelTarget
    from ..tile import Tile

__all__ = ["CommandQueue"]

_MASK = (1 << 32) - 1
_FROM_CONTROL = 1 << 31


class CommandQueue:
    """State of the queue and what moves it. Counts are free-running, 32 bits."""

    def __init__(self, chip: ModelTarget) -> None:
        self.chip = chip
        self.events = chip.events
        self.state = QueueState.DISABLED
        self.watchdog = Watchdog(self)
        self.fence = Fence(self)
        self._epoch = 0
        self._clear()

    def _clear(self) -> None:
        self._epoch += 1
        self.head = 0
        self.sequence = 0
        self.completed = 0
        self.in_flight = 0
        self.error = (0, 0, 0)
        self._requested = 0
        self._buffer: deque[Command] = deque()
        self._dispatch_free = 0
        depth = self.chip.config.tile.command_queue_depth
        self._credits = {
            (tile.number, engine): depth for tile in self.chip.tiles for engine in EngineId
        }
        self.last_completion_cycle = 0

    # --- host side ----------------------------------------------------------------------------

    @property
    def tail(self) -> int:
        return self.chip.registers.values["TAIL"]

    @property
    def idle(self) -> bool:
        """Nothing fetched is unfinished."""
        return (
            not self.in_flight
            and not self._buffer
            and self._requested == self.head
            and not self.fence.busy
        )

    def enable(self, on: bool) -> None:
        if on and self.state is QueueState.DISABLED:
            self.state = QueueState.RUNNING
            self.doorbell()
        elif not on and self.state is QueueState.RUNNING:
            self.state = QueueState.DISABLED

    def doorbell(self) -> None:
        """The tail has moved."""
        self.events.after(TIMING.fetch_issue, self._fetch, self._epoch)

    def reset(self) -> None:
        """Aborts what is in flight, then clears everything but the rings' addresses."""
        self.state = QueueState.RESETTING
        self._abort()
        self._settle()

    # --- fetch --------------------------------------------------------------------------------

    def _fetch(self, epoch: int) -> None:
        if epoch != self._epoch or self.state is not QueueState.RUNNING:
            return
        values = self.chip.registers
        entries = 1 << values.values["QUEUE_LOG2"]
        base = values.pair("QUEUE_BASE")
        while self._requested != self.tail:
            if base % COMMAND_BYTES or values.pair("COMPLETION_BASE") % COMMAND_BYTES:
                self.fail(Status.MISALIGNED, self._requested, _FROM_CONTROL)
                return
            if (self.tail - self.head) & _MASK > entries:
                self.fail(Status.RING_OVERRUN, self.head, _FROM_CONTROL)
                return
            waiting = ((self._requested - self.head) & _MASK) + len(self._buffer)
            if waiting >= TIMING.fetch_buffer:
                return
            address = base + COMMAND_BYTES * (self._requested % entries)
            arrival = self.chip.host_read(address, COMMAND_BYTES)
            self._requested = (self._requested + 1) & _MASK
            self.events.at(arrival + TIMING.fetch_deliver, self._fetched, epoch, address)

    def _fetched(self, epoch: int, address: int) -> None:
        if epoch != self._epoch:
            return
        if self.state is QueueState.RESETTING or self.state is QueueState.FAILED:
            self._requested = (self._requested - 1) & _MASK
            self._settle()
            return
        if self.chip.device_memory.fails(address, COMMAND_BYTES):
            self._requested = (self._requested - 1) & _MASK
            self.fail(Status.FETCH_BUS, self.head, _FROM_CONTROL)
            return
        raw = self.chip.device_memory.read(address, COMMAND_BYTES)
        self._buffer.append(decode(raw, self.head))
        self.head = (self.head + 1) & _MASK
        self._pump(epoch)

    # --- dispatch -----------------------------------------------------------------------------

    def _pump(self, epoch: int) -> None:
        """Dispatches the oldest command if it may go."""
        if epoch != self._epoch or self.state is not QueueState.RUNNING:
            return
        if not self._buffer or self.fence.busy:
            return
        now = self.events.now
        if now < self._dispatch_free:
            self.events.at(self._dispatch_free, self._pump, epoch)
            return
        command = self._buffer[0]
        if command.opcode is None:
            self.fail(Status.ILLEGAL_OPCODE, command.index, _FROM_CONTROL)
            return
        if command.opcode is Opcode.FENCE:
            if self.in_flight == 0:
                self._buffer.popleft()
                self.fence.begin(command)
            return
        tile = self.chip.tile_at(command.tile_x, command.tile_y)
        if tile is None:
            self.fail(Status.ILLEGAL_TILE, command.index, _FROM_CONTROL)
            return
        engine = command.engine
        assert engine is not None
        if (
            self.in_flight >= self.chip.config.host.max_in_flight
            or not self._credits[tile.number, engine]
        ):
            return
        self._buffer.popleft()
        self._credits[tile.number, engine] -= 1
        if not self.in_flight:
            self.watchdog.progress()
        self.in_flight += 1
        flits = self.chip.command_flits
        self._dispatch_free = now + flits
        arrival = now + TIMING.dispatch_latency + self.chip.control_cycles(tile, COMMAND_BYTES)
        front = tile.fronts[engine]
        self.events.at(arrival + TIMING.ingress_latency, front.push, command)
        self._fetch(epoch)
        self._pump(epoch)

    # --- completions --------------------------------------------------------------------------

    def on_complete(self, tile: Tile, engine: EngineId, command: Command, status: Status) -> None:
        """A tile's completion has arrived."""
        self.in_flight -= 1
        self.completed = (self.completed + 1) & _MASK
        self._credits[tile.number, engine] += 1
        self.last_completion_cycle = self.events.now
        self.watchdog.progress()
        if status not in (Status.OK, Status.ABORTED):
            source = engine.value | tile.x << 4 | tile.y << 8
            self.fail(status, command.index, source)
        if self.state is QueueState.RUNNING:
            self.events.after(TIMING.completion_latency, self._pump, self._epoch)
        else:
            self._settle()

    def fence_done(self, command: Command, status: Status) -> None:
        """The record of a fence has been answered."""
        if status is not Status.OK:
            self.fail(status, command.index, _FROM_CONTROL)
        else:
            self.sequence = command.fields.sequence
            self.completed = (self.completed + 1) & _MASK
            if command.fields.interrupt:
                self.chip.registers.interrupt_status |= Interrupt.COMPLETION.value
        self._settle()
        self._fetch(self._epoch)
        self._pump(self._epoch)

    # --- errors and reset ---------------------------------------------------------------------

    def fail(self, status: Status, index: int, source: int) -> None:
        """The first error stops the queue; later ones are dropped."""
        if self.state not in (QueueState.RUNNING, QueueState.DISABLED):
            return
        self.error = (status.value, index, source)
        self.state = QueueState.FAILED
        self.chip.registers.interrupt_status |= Interrupt.ERROR.value
        self._abort()
        self._settle()

    def hang(self) -> None:
        """The watchdog has run out."""
        self.fail(Status.WATCHDOG, (self.head - 1) & _MASK, _FROM_CONTROL)

    def _abort(self) -> None:
        self._buffer.clear()
        for tile in self.chip.tiles:
            tile.abort()

    def _settle(self) -> None:
        """Goes on to HALTED or DISABLED once nothing is under way."""
        if self.in_flight or self.fence.busy or self._requested != self.head:
            return
        if self.state is QueueState.FAILED:
            self.state = QueueState.HALTED
        elif self.state is QueueState.RESETTING:
            self.state = QueueState.DISABLED
            self.chip.registers.values["CONTROL"] = 0
            self.chip.registers.values["TAIL"] = 0
            self._clear()
            for tile in self.chip.tiles:
                tile.clear()
