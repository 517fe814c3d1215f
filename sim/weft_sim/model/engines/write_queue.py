"""Rows of the vector engine on their way to the scratchpad."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

from .load_writes import NEVER, LoadWrites

__all__ = ["WriteQueue"]

_LONG_AGO = -(10**9)


class WriteQueue:
    """Vectors are written in order, a row a cycle, each when the loads leave its bank alone.

    ``depth`` of them may be under way: from their being added to their last row's write. When they
    are written is found out as late as possible; the generators yield the cycle in which they want
    to go on, and return what they have found. ``conflicts`` counts cycles lost to loads, ``added``
    vectors.
    """

    def __init__(self, loads: LoadWrites, depth: int) -> None:
        self.conflicts = 0
        self.added = 0
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
        self.added += 1

    @property
    def waits(self) -> bool:
        """Whether any is not known to be written."""
        return bool(self._waiting)

    def clear(self) -> None:
        """Nothing is under way."""
        self._waiting.clear()
        self._loads.wanted_from = NEVER

    def room(self, cycle: int, count: int = 1) -> Generator[int, None, int]:
        """The first cycle from ``cycle`` on with room for ``count`` more."""
        while len(self._waiting) > self._depth - count:
            yield from self._write_next()
        return max(cycle, self._written[len(self._waiting) + count - 1] + 1)

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
            row, _, shows = self._waiting[0]
            if self._loads.write_from(row, max(shows, self._written[-1] + 1)) >= cycle:
                return True
            yield from self._write_next()
        return self._written[-1] >= cycle

    def done(self, number: int) -> int:
        """The cycle after vector ``number``, counted as by ``added``, is written; another one in
        the future if that is not known by now.
        """
        look = None
        while self._waiting and look is None:
            look = self._settle()
        behind = self.added - len(self._waiting) - number
        if behind < 0:
            assert look is not None
            return look + 1
        return 1 + (self._written[-1 - behind] if behind < self._depth else _LONG_AGO)

    def _write_next(self) -> Generator[int, None, None]:
        """The next row of the oldest."""
        look = self._settle()
        while look is not None:
            yield look
            look = self._settle()

    def _settle(self) -> int | None:
        """Writes the next row of the oldest; if it is not known when, the cycle to look again."""
        loads, (row, left, shows) = self._loads, self._waiting[0]
        ask = max(shows, self._written[-1] + 1)
        granted = loads.write_from(row, ask)
        if granted > loads.known_until:
            return granted - 1
        self.conflicts += granted - ask
        if left > 1:
            self._waiting[0] = row + 1, left - 1, granted + 1
            return None
        self._waiting.popleft()
        self._written.append(granted)
        loads.wanted_from = self._waiting[0][2] if self._waiting else NEVER
        return None
