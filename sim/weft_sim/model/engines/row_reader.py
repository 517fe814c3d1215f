"""When the store engine's scratchpad reads are done (``dma/row_reader.py``)."""

from __future__ import annotations

from collections import deque

__all__ = ["RowReader"]

#: dma/row_reader.py FIFO_FLITS: flits read and not yet sent.
_FIFO_FLITS = 16


class RowReader:
    """A flit a cycle, as far as its queue of flits has room; packets one after the other."""

    def __init__(self) -> None:
        self._begun = 0
        self._flits_read = 0
        self._flits_sent = 0
        self._last_flits = 0
        self._sent: deque[tuple[int, int]] = deque()

    def read(self, cycle: int, flits: int) -> None:
        """A packet's reads begin after ``cycle``."""
        self._begun = cycle
        self._flits_read += flits
        self._last_flits = flits

    def sent(self, cycle: int, flits: int) -> None:
        """A packet's data flits leave from ``cycle`` on, one a cycle."""
        self._sent.append((self._flits_sent, cycle))
        self._flits_sent += flits
        while len(self._sent) > 1 and self._sent[1][0] <= self._flits_read - _FIFO_FLITS - 1:
            self._sent.popleft()

    def free_from(self) -> int | None:
        """The cycle of the last read granted; the next packet is taken then.

        None if that is not known before another header has been sent.
        """
        granted = self._begun + self._last_flits
        waits_for = self._flits_read - _FIFO_FLITS - 1
        if waits_for < 0:
            return granted
        if waits_for >= self._flits_sent:
            return None
        while len(self._sent) > 1 and self._sent[1][0] <= waits_for:
            self._sent.popleft()
        first, cycle = self._sent[0]
        return max(granted, cycle + waits_for - first + 1)
