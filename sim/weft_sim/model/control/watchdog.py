"""The watchdog (``control/watchdog.py``): notices that nothing moves any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .queue import CommandQueue

__all__ = ["Watchdog"]


class Watchdog:
    """Expires after WATCHDOG cycles without progress while the queue is not quiet, and again.

    Looks only when the limit can have run out, not in every cycle.
    """

    def __init__(self, queue: CommandQueue) -> None:
        self.queue = queue
        self._since = 0
        self._armed = False

    def busy(self) -> None:
        """The queue has got something to do."""
        limit = self.queue.chip.registers.values["WATCHDOG"]
        if limit and not self._armed:
            self._armed = True
            self._since = max(self._since, self.queue.events.now)
            self.queue.events.at(self._since + limit, self._look)

    def progress(self) -> None:
        """A command, a fence or a record has ended."""
        self._since = self.queue.events.now

    def _look(self) -> None:
        self._armed = False
        queue = self.queue
        limit = queue.chip.registers.values["WATCHDOG"]
        if not limit or queue.quiet:
            return
        if queue.events.now >= self._since + limit:
            self._since = queue.events.now
            queue.expired()
        self._armed = True
        queue.events.at(self._since + limit, self._look)
