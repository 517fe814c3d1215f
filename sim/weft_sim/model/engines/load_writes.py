"""When loads write the scratchpad: the vector engine's writes give way to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ..events import Events
from ..local import LocalMemory

__all__ = ["NEVER", "LoadWrites"]

NEVER = 1 << 62
#: A command handed to the load engine writes its first row so many cycles later at the earliest
#: (a FILL: dma/decode.py, pattern.py, fill.py).
_FIRST_WRITE = 6
#: Cycles for which writes are remembered in any case.
_REMEMBERED = 256


class _Span(NamedTuple):
    """Rows ``stride`` apart from ``row`` on, one a cycle from ``first`` to before ``end``."""

    first: int
    end: int
    row: int
    stride: int


class LoadWrites:
    """Rows that the load engine of a tile writes, in order, as far as they are known.

    ``banks`` says in which banks commands that are inside write, a bit each; ``tell`` brings the
    rows known by now.
    """

    def __init__(
        self,
        events: Events,
        pad: LocalMemory,
        banks: Callable[[], int] = lambda: 0,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._events = events
        self._pad = pad
        self.banks = banks
        self._tell = tell
        self._spans: deque[_Span] = deque()
        #: nobody asks for cycles before this one
        self.wanted_from = NEVER

    def add(self, first: int, row: int, count: int, stride: int = 1) -> None:
        """``count`` rows from cycle ``first`` on."""
        spans = self._spans
        over = min(self.wanted_from, self._events.now - _REMEMBERED)
        while spans and spans[0].end <= over:
            spans.popleft()
        spans.append(_Span(first, first + count, row, stride))

    def clear(self) -> None:
        """All are to be added again."""
        self._spans.clear()

    @property
    def known_until(self) -> int:
        """The last cycle of which it is known what is written."""
        return self._events.now + (_FIRST_WRITE - 1 if not self.banks() else 1)

    def write_from(self, row: int, cycle: int) -> int:
        """The first cycle from ``cycle`` on in which nothing that is known is written in the bank
        of a row.
        """
        self._tell()
        size = self._pad.bank_rows
        bank = row // size
        for first, end, begin, stride in self._spans:
            if end <= cycle:
                continue
            if first > cycle:
                break
            while cycle < end and (begin + (cycle - first) * stride) // size == bank:
                cycle += 1
            if cycle < end:
                break
        return cycle
