"""When block scales are there (``array/scale_reader.py``)."""

from __future__ import annotations

from collections import deque

from ..timing import TIMING

__all__ = ["ScaleReader"]

_LONG_AGO = -(10**9)
#: array/scale_reader.py _AHEAD: rows of scales in the memory or waiting.
_AHEAD = 2
#: Requests that others may still have to look at.
_REMEMBERED = 8


class ScaleReader:
    """Reads rows of scales in the order in which blocks need them, two ahead."""

    def __init__(self) -> None:
        self.flush()

    def flush(self) -> None:
        """Nothing is inside."""
        self._next = 0
        self._freed: deque[int] = deque([_LONG_AGO] * _AHEAD, maxlen=_AHEAD)
        self._asks: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)

    def begin(self, cycle: int) -> None:
        """A command is offered from ``cycle`` on."""
        self._next = max(self._next, cycle + TIMING.scale_first)

    @property
    def ask(self) -> int:
        """The cycle in which the next row is asked for."""
        return max(self._next, self._freed[0] + 1)

    def grant(self, cycle: int) -> int:
        """It is granted; the first cycle in which it can be used."""
        self._asks.append((self.ask, cycle))
        self._next = cycle + 1
        return cycle + TIMING.scale_ready

    def free(self, cycle: int) -> None:
        """The oldest row of scales is used for the last time."""
        self._freed.append(cycle)

    def busy_until(self, cycle: int) -> int | None:
        """The cycle after the request that shows in ``cycle``; None if none does."""
        return next((end + 1 for begin, end in self._asks if begin <= cycle <= end), None)
