"""Front end of an engine: command queue, semaphores, completions."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from weft_hw.isa import SEMAPHORE_MAX, Status
from weft_hw.isa import Engine as EngineId

from ..decode import Command
from ..timing import TIMING

if TYPE_CHECKING:
    from ..tile import Tile
    from .base import Engine

__all__ = ["IDLE", "RUNNING", "WAITING", "FrontEnd", "Semaphores"]

#: States in the probe page (``tile/status.py``).
IDLE, WAITING, RUNNING = 0, 1, 2


class Semaphores:
    """The 16 counting semaphores of a tile."""

    def __init__(self, count: int) -> None:
        self.values = np.zeros(count, np.int64)
        self._bits = 1 << np.arange(count)
        self._nonzero = 0

    def unmet(self, mask: int) -> int:
        """The bits of ``mask`` whose semaphore is zero."""
        return mask & ~self._nonzero

    def take(self, mask: int) -> None:
        self._add(mask, -1)

    def give(self, mask: int) -> bool:
        """Increments; False, and nothing changes at those that are full, on overflow."""
        full = any(mask >> i & 1 and value >= SEMAPHORE_MAX for i, value in enumerate(self.values))
        self._add(mask, 1)
        np.minimum(self.values, SEMAPHORE_MAX, out=self.values)
        return not full

    def clear(self) -> None:
        self.values[:] = 0
        self._nonzero = 0

    def _add(self, mask: int, amount: int) -> None:
        for i in range(len(self.values)):
            if mask >> i & 1:
                self.values[i] += amount
        self._nonzero = int(np.dot(self.values > 0, self._bits))


class FrontEnd:
    """Holds the commands of one engine, in order; starts each when its semaphores allow.

    ``busy_cycles`` counts cycles with a command in the engine, ``wait_cycles`` those in which the
    oldest command waits for semaphores.
    """

    def __init__(self, tile: Tile, engine: EngineId) -> None:
        self.tile = tile
        self.id = engine
        self.engine: Engine | None = None
        self.queue: deque[Command] = deque()
        self.inside: deque[Command] = deque()
        self.busy_cycles = 0
        self.wait_cycles = 0
        self._busy_since = 0
        self._waiting_since: int | None = None
        self._last_taken = -1
        self._retry_at = -1

    def clear(self) -> None:
        """State after a queue reset (counters stay)."""
        self.queue.clear()
        self.inside.clear()
        self._waiting_since = None

    # --- commands in --------------------------------------------------------------------------

    def push(self, command: Command) -> None:
        """A command has arrived from the control node."""
        self.queue.append(command)
        if self.tile.aborting:
            self.abort_queue()
        else:
            self._at(self.tile.events.now + TIMING.frontend_latency)

    def wake(self) -> None:
        """Something that the oldest command may wait for has changed."""
        if self.queue:
            self._at(self.tile.events.now)

    def _at(self, cycle: int) -> None:
        self.tile.events.at(cycle, self._try)

    def _try(self) -> None:
        if self.tile.aborting or not self.queue or self.engine is None or not self.engine.ready():
            return
        now = self.tile.events.now
        if now <= self._last_taken:
            self._at(self._last_taken + 1)
            return
        command = self.queue[0]
        if self.tile.semaphores.unmet(command.wait):
            if self._waiting_since is None:
                self._waiting_since = now
            return
        self._stop_waiting()
        self.tile.semaphores.take(command.wait)
        self.queue.popleft()
        self._last_taken = now
        if not self.inside:
            self._busy_since = now
        self.inside.append(command)
        self.tile.record_event(self.id, 0, command.index)
        self.engine.start(command)
        self._try()

    def _stop_waiting(self) -> None:
        if self._waiting_since is not None:
            self.wait_cycles += self.tile.events.now - self._waiting_since
            self._waiting_since = None

    # --- commands out -------------------------------------------------------------------------

    def done(self, command: Command, status: Status, address: int = 0) -> None:
        """The oldest command in the engine has ended (an engine answers in order)."""
        self.inside.remove(command)
        now = self.tile.events.now
        if not self.inside:
            self.busy_cycles += now - self._busy_since
        self.tile.record_event(self.id, 1, command.index)
        if status is Status.OK and command.signal:
            if not self.tile.semaphores.give(command.signal):
                status = Status.SEMAPHORE_OVERFLOW
            self.tile.wake_all()
        else:
            self.wake()
        self.tile.complete(self.id, command, status, address)

    def abort_queue(self) -> None:
        """Answers ABORTED for every command not handed over."""
        self._stop_waiting()
        while self.queue:
            self.tile.complete(self.id, self.queue.popleft(), Status.ABORTED, 0)

    # --- what a probe sees --------------------------------------------------------------------

    def snapshot(self) -> tuple[int, int, int]:
        """(state, unmet wait mask, command index)."""
        if self.inside:
            return RUNNING, 0, self.inside[0].index
        if self.queue:
            head = self.queue[0]
            return WAITING, self.tile.semaphores.unmet(head.wait), head.index
        return IDLE, 0, 0

    def busy_now(self) -> int:
        """Busy cycles up to now."""
        running = self.tile.events.now - self._busy_since if self.inside else 0
        return self.busy_cycles + running

    def waited_now(self) -> int:
        """Waiting cycles up to now."""
        since = self._waiting_since
        return self.wait_cycles + (0 if since is None else self.tile.events.now - since)
