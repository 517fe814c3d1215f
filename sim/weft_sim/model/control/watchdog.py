"""The watchdog: cycles without a completion while commands are in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.control.registers import QueueState

if TYPE_CHECKING:
    from .queue import CommandQueue

__all__ = ["Watchdog"]


class Watchdog:
    """Looks again only when the limit can have run out, not in every cycle."""

    def __init__(self, queue: CommandQueue) -> None:
        self.queue = queue
        self._since = 0
        self._armed = False

    def progress(self) -> None:
        """A command has completed, or the first has gone out."""
        self._since = self.queue.events.now
        limit = self.queue.chip.registers.values["WATCHDOG"]
        if limit and not self._armed:
            self._armed = True
            self.queue.events.after(limit, self._look)

    def _look(self) -> None:
        self._armed = False
        queue = self.queue
        limit = queue.chip.registers.values["WATCHDOG"]
        if not limit or not queue.in_flight or queue.state is not QueueState.RUNNING:
            return
        due = self._since + limit
        if queue.events.now >= due:
            queue.hang()
        else:
            self._armed = True
            queue.events.at(due, self._look)
