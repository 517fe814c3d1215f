"""When the store engine's scratchpad reads are done (``dma/row_reader.py``)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .traffic import ArrayTraffic

__all__ = ["RowReader"]

#: dma/row_reader.py FIFO_FLITS: flits read and not yet sent.
_FIFO_FLITS = 16
#: dma/row_reader.py: cycles after a refusal in which reads do not count as smooth.
_CALM_CYCLES = _FIFO_FLITS
#: memory/port.py READ_LATENCY: a read granted to its flit waiting; it is sent one later.
_READ_CYCLES = 2
_LONG_AGO = -(10**9)


@dataclass
class _Packet:
    """A packet that is read: its first row, its flits, the cycle after which its reads begin, the
    last refusal before it, and whether its data leaves.
    """

    row: int
    flits: int
    cycle: int
    refused: int
    leaves: bool = False


class RowReader:
    """A flit a cycle, as far as its queue has room and array and vector engine leave the bank
    alone. When the reads of the youngest packet are done is found out again until its data leaves.

    ``conflicts`` counts cycles lost to the others.
    """

    def __init__(self, traffic: ArrayTraffic) -> None:
        self.traffic = traffic
        self._packet: _Packet | None = None
        self._conflicts = [0, 0]
        self._granted = -1
        self._flits_read = 0
        self._flits_sent = 0
        self._refused = _LONG_AGO
        #: cycles of the reads of packets that meet others: by the number of their first flit
        self._reads: dict[int, tuple[int, list[int]]] = {}
        self._sent: deque[tuple[int, int]] = deque()
        #: the flit of the packet under way for whose place a read waits, and the cycle it leaves in
        self._early = (-1, 0)

    @property
    def conflicts(self) -> int:
        """Cycles in which reads waited."""
        return sum(self._conflicts)

    def meets_others(self, banks: int, cycle: int) -> bool:
        """Whether the array or the vector engine reads one of ``banks`` after ``cycle``, or reads
        were refused not long ago.
        """
        if self._refused + _CALM_CYCLES >= cycle or self.traffic.vector.banks & banks:
            return True
        return any(run.pad_banks & banks and run.end > cycle for run in self.traffic.runs)

    def read(self, cycle: int, row: int, flits: int) -> None:
        """A packet's reads begin after ``cycle``."""
        self._conflicts = [self.conflicts, 0]
        self._packet = _Packet(row, flits, cycle, self._refused)
        self._flits_read += flits

    def ready(self) -> int:
        """The cycle in which the header of the youngest packet can go, as far as is known.

        That is when its first flit waits and reads are smooth, or all of it that fits waits.
        """
        packet = self._packet
        assert packet is not None
        row, flits, cycle = packet.row, packet.flits, packet.cycle
        self._conflicts[1] = 0
        self._refused = packet.refused
        enough = min(flits, _FIFO_FLITS)
        first = cycle + 1 + _READ_CYCLES
        number = self._flits_read - flits
        if not self.traffic.meets_store(row, row + flits - 1, cycle):
            self._reads.pop(number, None)
            self._granted = cycle + flits
            whole = first + enough - 1
            return max(first, min(whole, self._refused + _CALM_CYCLES))
        granted, refusals = self._grants(row, enough, cycle, [])
        self._reads[number] = row, granted
        self._granted = granted[-1] + flits - enough
        ready, whole = granted[0] + _READ_CYCLES, granted[-1] + _READ_CYCLES
        for first, last in ((self._refused, self._refused), *refusals):
            if first < ready:
                ready = max(ready, last + _CALM_CYCLES)
        self._note(refusals)
        return min(ready, whole)

    def _grants(
        self, row: int, flits: int, cycle: int, granted: list[int]
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Adds the cycles of the next reads of a packet to ``granted``, the first asked for after
        ``cycle``; also the first and last cycles in which reads were refused."""
        refusals = []
        asked = cycle + 1
        for number in range(len(granted), len(granted) + flits):
            cycle = self.traffic.stored_from(row + number, asked)
            if cycle > asked:
                self._conflicts[1] += cycle - asked
                refusals.append((asked, cycle - 1))
            granted.append(cycle)
            asked = cycle + 1
        return granted, refusals

    def _note(self, refusals: list[tuple[int, int]]) -> None:
        if refusals:
            self._refused = max(self._refused, refusals[-1][1])

    def sends(self, cycle: int, flits: int) -> list[tuple[int, int]]:
        """The next packet's data flits could leave from ``cycle`` on: (flit, cycle) of those that
        come later than right after the one before."""
        if self._flits_sent not in self._reads:
            return []
        row, granted = self._reads.pop(self._flits_sent)
        leaves: list[int] = []
        waits = []
        for number in range(flits):
            if number >= len(granted):
                begin = max(granted[-1], leaves[number - _FIFO_FLITS])
                _, refusals = self._grants(row, 1, begin, granted)
                self._note(refusals)
            leave = granted[number] + _READ_CYCLES + 1
            if leave > cycle:
                waits.append((number, leave))
                cycle = leave
            leaves.append(cycle)
            cycle += 1
        if self._flits_sent + flits == self._flits_read:
            self._granted = granted[-1]
        return waits

    def sent(self, cycle: int, flits: int) -> None:
        """A packet's data flits leave from ``cycle`` on, one a cycle."""
        self._sent.append((self._flits_sent, cycle))
        self._flits_sent += flits
        while len(self._sent) > 1 and self._sent[1][0] <= self._flits_read - _FIFO_FLITS - 1:
            self._sent.popleft()

    @property
    def awaited(self) -> int:
        """The data flit that must leave before the last read, counted from the packet under way."""
        return self._flits_read - _FIFO_FLITS - 1 - self._flits_sent

    def leaves(self, flit: int, cycle: int) -> None:
        """The flit that is ``awaited`` leaves in that cycle."""
        self._early = self._flits_sent + flit, cycle

    def free_from(self) -> int | None:
        """The cycle of the last read granted; the next packet is taken then.

        None if that is not known before another header has been sent.
        """
        if self._packet is not None and not self._packet.leaves:
            self.ready()
        waits_for = self._flits_read - _FIFO_FLITS - 1
        if waits_for < 0:
            return self._granted
        if waits_for == self._early[0]:
            return max(self._granted, self._early[1] + 1)
        if waits_for >= self._flits_sent:
            return None
        while len(self._sent) > 1 and self._sent[1][0] <= waits_for:
            self._sent.popleft()
        first, cycle = self._sent[0]
        return max(self._granted, cycle + waits_for - first + 1)
