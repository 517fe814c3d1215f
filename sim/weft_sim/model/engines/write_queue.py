"""Rows of the vector engine on their way to the scratchpad."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

from .load_writes import LoadWrites

__all__ = ["WriteQueue"]

_LONG_AGO = -(10**9)


class WriteQueue:
    """Vectors are written in order, a row a cycle, each when the loads leave its bank alone.

    ``depth`` of them may be under way: from their being added to their last row's write. When they
    are written is found out as late as possible; the generators yield the cycle in which they want
    to go on, and return what they have found. ``conflicts`` counts cycles lost to loads.
    """

    def __init__(self, loads: LoadWrites, depth: int) -> None:
        self.conflicts = 0
        self._loads = loads
        self._depth = depth
        self._written: deque[int] = deque([_LONG_AGO] * depth, maxlen=depth)
        #: next row, rows left, and the first cycle in which the next can be written
        self._waiting: deque[tuple[int, int, int]] = deque()
        self._shows = _LONG_AGO

    def add(self, row: int, rows: int, shows: int) -> None:
        """A vector whose first row can be written from ``shows`` on."""
        if not self._waiting:
            self._loads.wanted_from = shows
        self._waiting.append((row, rows, shows))
        self._shows = shows

    def room(self, cycle: int) -> Generator[int, None, int]:
        """The first cycle from ``cycle`` on in which fewer than ``depth`` are under way."""
        while len(self._waiting) >= self._depth:
            yield from self._write_next()
        return max(cycle, self._written[len(self._waiting)] + 1)

    def last(self) -> Generator[int, None, int]:
        """The cycle of the last write of all."""
        while self._waiting:
            yield from self._write_next()
        return self._written[-1]

    def under_way(self, cycle: int) -> Generator[int, None, bool]:
        """Whether any is in a cycle after which nothing has been added."""
        if self._waiting and self._shows >= cycle:
            return True
        while self._waiting:
            row, _, ask = self._waiting[0]
            ask = max(ask, self._written[-1] + 1)
            if self._loads.write_from(row, ask) >= cycle:
                return True
            yield from self._write_next()
        return self._written[-1] >= cycle

    def _write_next(self) -> Generator[int, None, None]:
        """The next row of the oldest."""
        loads, (row, left, ask) = self._loads, self._waiting[0]
        ask = max(ask, self._written[-1] + 1)
        granted = loads.write_from(row, ask)
        while granted > loads.known_until:
            yield granted - 1
            granted = loads.write_from(row, granted)
        self.conflicts += granted - ask
        if left > 1:
            self._waiting[0] = row + 1, left - 1, granted + 1
            return
        self._waiting.popleft()
        self._written.append(granted)
        loads.wanted_from = self._waiting[0][2] if self._waiting else 1 << 62
