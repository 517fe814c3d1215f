"""The command queue's life (``control/state.py``): running, failed, halted, resetting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.control.registers import Interrupt, QueueState
from weft_hw.isa import Engine as EngineId
from weft_hw.isa import Status

from ..timing import TIMING
from .dispatch import Dispatcher
from .fetch import RingFetch
from .record import RecordWriter
from .watchdog import Watchdog

if TYPE_CHECKING:
    from ..target import ModelTarget
    from ..tile import Tile

__all__ = ["CommandQueue"]

_MASK = (1 << 32) - 1
_FROM_CONTROL = 1 << 31
_GO, _FAIL, _HALT, _RESET = range(4)
_STATES = {
    _FAIL: QueueState.FAILED,
    _HALT: QueueState.HALTED,
    _RESET: QueueState.RESETTING,
}


class CommandQueue:
    """Ring to tiles to records, and what stops them. ``error`` is (status, index, source)."""

    def __init__(self, chip: ModelTarget) -> None:
        self.chip = chip
        self.events = chip.events
        self._life = _GO
        self.error = (0, 0, 0)
        self.in_flight = 0
        self.completed = 0
        self.fetch = RingFetch(self)
        self.records = RecordWriter(self)
        self.dispatcher = Dispatcher(self)
        self.watchdog = Watchdog(self)

    # --- what the host sees -------------------------------------------------------------------

    @property
    def tail(self) -> int:
        return self.chip.registers.values["TAIL"]

    @property
    def state(self) -> QueueState:
        if self._life == _GO:
            return QueueState.RUNNING if self.fetching else QueueState.DISABLED
        return _STATES[self._life]

    @property
    def healthy(self) -> bool:
        """Commands fetched may be sent."""
        return self._life == _GO

    @property
    def fetching(self) -> bool:
        """Commands may be fetched."""
        return self._life == _GO and bool(self.chip.registers.values["CONTROL"] & 1)

    @property
    def quiet(self) -> bool:
        """Nothing is in flight, fetched or written."""
        return not self.in_flight and self.fetch.quiet and self.records.quiet

    @property
    def idle(self) -> bool:
        """Nothing fetched is unfinished."""
        if self._life == _HALT:
            return self.quiet
        pending = self.state is QueueState.RUNNING and self.fetch.pending
        return self.quiet and self.dispatcher.empty and not pending

    def changed(self) -> None:
        """The host has written TAIL or CONTROL."""
        self.fetch.wake(self.events.now)

    def reset(self) -> None:
        """Aborts what is in flight, then clears everything but the rings' addresses."""
        self._life = _RESET
        self._abort()
        self.settle()

    # --- progress -----------------------------------------------------------------------------

    def sent(self) -> None:
        """A command has left for its tile."""
        self.in_flight += 1
        self.watchdog.busy()

    def fenced(self) -> None:
        """A fence has been passed to the record writer."""
        self.completed = (self.completed + 1) & _MASK
        self.progress()

    def progress(self) -> None:
        self.watchdog.progress()

    def ended(self, tile: Tile, engine: EngineId, index: int, status: Status) -> None:
        """A tile's completion has arrived."""
        self.in_flight -= 1
        self.completed = (self.completed + 1) & _MASK
        self.progress()
        if status not in (Status.OK, Status.ABORTED):
            self.fail(status, index, engine.value | tile.x << 4 | tile.y << 8)
        self.dispatcher.ended(tile.number, engine)
        self.settle()

    def completion_interrupt(self) -> None:
        self._interrupt(Interrupt.COMPLETION)

    def _interrupt(self, bit: Interrupt) -> None:
        cycle = self.events.now + TIMING.interrupt_latency
        self.events.at(cycle, self.chip.registers.raise_interrupt, bit.value)

    # --- errors and reset ---------------------------------------------------------------------

    def fail(self, status: Status, index: int, source: int = _FROM_CONTROL) -> None:
        """The first error stops the queue; later ones are dropped."""
        if self._life != _GO:
            return
        self.error = (status.value, index, source)
        self._life = _FAIL
        # a hang stays as it is, so that the host can probe who waits for whom
        if status is not Status.WATCHDOG:
            self._abort()
        self.settle()

    def expired(self) -> None:
        """The watchdog has run out: an error of its own if there is none yet, always an
        interrupt.
        """
        if self._life == _GO:
            self.fail(Status.WATCHDOG, self.dispatcher.last_index)
            self._interrupt(Interrupt.ERROR)
        elif self._life == _FAIL:
            self._interrupt(Interrupt.ERROR)

    def _abort(self) -> None:
        """The tiles see it in the next cycle."""
        for tile in self.chip.tiles:
            self.events.after(1, tile.abort)

    def settle(self) -> None:
        """Something has ended: looks in the next cycle whether everything is quiet."""
        if self._life in (_FAIL, _RESET):
            self.events.after(1, self._settle)

    def _settle(self) -> None:
        """Goes on to HALTED or DISABLED once everything is quiet."""
        if self._life not in (_FAIL, _RESET) or not self.quiet:
            return
        if self._life == _FAIL:
            self._life = _HALT
            self._interrupt(Interrupt.ERROR)
            for tile in self.chip.tiles:
                tile.aborting = False
            return
        self._life = _GO
        self.error = (0, 0, 0)
        self.completed = 0
        self.chip.registers.clear()
        self.fetch.clear()
        self.dispatcher.clear()
        self.records.clear()
        for tile in self.chip.tiles:
            tile.clear()
