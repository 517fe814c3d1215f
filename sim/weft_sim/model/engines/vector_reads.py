"""When the vector engine reads the scratchpad: stores give way to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

__all__ = ["VectorReads"]

#: Cycles for which a read is remembered.
_REMEMBERED = 1024


class VectorReads:
    """Runs of reads, one a cycle, in order, as far as they are known; ``listeners`` are told the
    banks that a command will read, a bit each, as soon as it is taken.
    """

    def __init__(self) -> None:
        self.listeners: list[Callable[[int], None]] = []
        #: banks that the commands inside read
        self.banks = 0
        self._runs: deque[tuple[int, int, int]] = deque()

    def begin(self, banks: int) -> None:
        """A command that reads ``banks`` is taken."""
        self.banks |= banks
        for listener in self.listeners:
            listener(banks)

    def end(self) -> None:
        """No command is inside."""
        self.banks = 0

    def add(self, first: int, count: int, banks: int) -> None:
        """``count`` reads in ``banks`` from cycle ``first`` on."""
        runs = self._runs
        while runs and runs[0][1] < first - _REMEMBERED:
            runs.popleft()
        runs.append((first, first + count, banks))

    def cut(self, cycle: int) -> None:
        """What was to be read from ``cycle`` on is found out again."""
        runs = self._runs
        while runs and runs[-1][0] >= cycle:
            runs.pop()
        if runs and runs[-1][1] > cycle:
            first, _, banks = runs.pop()
            runs.append((first, cycle, banks))

    def among(self, banks: int, cycle: int) -> bool:
        """Whether one of ``banks`` is known to be read after ``cycle``."""
        return any(run[2] & banks and run[1] > cycle for run in reversed(self._runs))

    def read_until(self, bank: int, cycle: int) -> int | None:
        """The cycle after the reads of a bank that go on in ``cycle``; None if none do."""
        for first, end, banks in reversed(self._runs):
            if end <= cycle:
                return None
            if first <= cycle and banks >> bank & 1:
                return end
        return None
