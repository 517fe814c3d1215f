"""When rows that the load engine fills itself are written (``dma/fill.py``)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..events import Events
from ..timing import TIMING
from ..walks import Fill

__all__ = ["Filler"]

#: dma/fill.py FILL_JOBS: jobs that may wait or run.
_JOBS = 8


class Filler:
    """A row a cycle, beside the rows of responses, which come one at a time.

    Where both come, they take turns (``dma/load.py``).
    """

    def __init__(self, events: Events, done: Callable[[Fill], None]) -> None:
        self._events = events
        self._done = done
        self._jobs: deque[tuple[Fill, int]] = deque()
        self._free = 0

    def room_from(self) -> int:
        """The first cycle in which a job is taken."""
        if len(self._jobs) < _JOBS:
            return self._events.now
        return max(self._events.now, self._jobs[-_JOBS][1] + 1)

    def take(self, fill: Fill) -> None:
        """A job taken now."""
        begin = max(self._events.now + 1, self._free)
        self._free = begin + fill.flits
        end = self._free - 1
        self._jobs.append((fill, end))
        self._events.at(end + 1, self._read, end)
        self._events.at(end + TIMING.load_settle, self._done, fill)

    def _read(self, _: int) -> None:
        self._jobs.popleft()
