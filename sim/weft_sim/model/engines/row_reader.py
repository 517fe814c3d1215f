"""When the store engine's scratchpad reads are done (``dma/row_reader.py``)."""

from __future__ import annotations

from collections import deque

from .traffic import ArrayTraffic

__all__ = ["RowReader"]

#: dma/row_reader.py FIFO_FLITS: flits read and not yet sent.
_FIFO_FLITS = 16
#: dma/row_reader.py: cycles without a refusal after which reads count as smooth.
_CALM_CYCLES = 3


class RowReader:
    """A flit a cycle, as far as its queue has room and the array leaves the bank alone.

    ``conflicts`` counts cycles lost to the array.
    """

    def __init__(self, traffic: ArrayTraffic) -> None:
        self.traffic = traffic
        self.conflicts = 0
        self._begun = 0
        self._flits_read = 0
        self._flits_sent = 0
        self._last_flits = 0
        self._delay = 0
        self._sent: deque[tuple[int, int]] = deque()

    def read(self, cycle: int, row: int, flits: int) -> int:
        """A packet's reads begin after ``cycle``; how much later its header goes for conflicts."""
        self._begun = cycle
        self._flits_read += flits
        self._last_flits = flits
        self._delay = 0
        if not self.traffic.reads_among(row, row + flits - 1, cycle):
            return 0
        enough = min(flits, _FIFO_FLITS)
        asked = granted = cycle + 1
        first = refused = None
        for number in range(flits):
            granted = self.traffic.read_from(row + number, asked)
            if granted > asked:
                refused = granted
            first = granted if first is None else first
            if number + 1 == enough:
                whole = granted
            asked = granted + 1
        self._delay = granted - cycle - flits
        self.conflicts += self._delay
        assert first is not None
        if refused is None:
            return 0
        # once reads are refused the header waits for them to be smooth, or for all that fits
        return max(first, min(whole, refused + _CALM_CYCLES)) - cycle - 1

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
        granted = self._begun + self._last_flits + self._delay
        waits_for = self._flits_read - _FIFO_FLITS - 1
        if waits_for < 0:
            return granted
        if waits_for >= self._flits_sent:
            return None
        while len(self._sent) > 1 and self._sent[1][0] <= waits_for:
            self._sent.popleft()
        first, cycle = self._sent[0]
        return max(granted, cycle + waits_for - first + 1)
