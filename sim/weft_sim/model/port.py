"""An AXI port of the memory: who has its data bus, and when (``weft_sim.dram`` is the
description).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..dram import Dram
from .events import Events
from .stalls import SlotClock

__all__ = ["READ", "WRITE", "MemoryPort"]

READ, WRITE = 0, 1


class _Burst:
    __slots__ = ("beats", "done")

    def __init__(self, beats: int, done: Callable[[], None]) -> None:
        self.beats = beats
        self.done = done


class MemoryPort:
    """Reads in order and writes in order share one bus, beat by beat in turn when both wait.

    Between two changes of who waits, each side that waits gets an equal share of the bus's slots.
    ``beats`` counts those moved, by kind.
    """

    def __init__(self, events: Events, dram: Dram, width: int, number: int) -> None:
        self.events = events
        self.width = width
        self.latency = dram.latency_cycles
        rate = dram.bytes_per_cycle or width
        self.clock = SlotClock(dram, number, -(-width // rate))
        self.beats = [0, 0]
        self._queues: tuple[deque[_Burst], deque[_Burst]] = (deque(), deque())
        self.bus_free = 0
        self._slot = 0
        self.turn = READ
        self._epoch = 0
        #: write beats moved since reset, and who wants to know of which
        self._written = 0
        self._watched: list[tuple[int, Callable[[], None]]] = []

    @property
    def idle(self) -> bool:
        """No burst waits or moves."""
        return not self._queues[READ] and not self._queues[WRITE]

    @property
    def stalls(self) -> bool:
        """Whether the port stalls at random."""
        return self.clock.stalls

    def accept(self, cycle: int) -> int:
        """The first cycle from ``cycle`` on in which the memory takes an address."""
        return self.clock.next_open(cycle)

    def has_moved(self, count: int) -> bool:
        """Whether the ``count``-th write beat since reset has moved before this cycle."""
        if self._queues[WRITE]:
            self._advance(self.events.now)
        return count <= self._written

    def watch(self, count: int, call: Callable[[], None]) -> None:
        """``call()`` in the cycle in which the ``count``-th write beat since reset moves, or now
        if it has.
        """
        moved = self.has_moved(count)
        self._tell()
        if moved:
            call()
            return
        self._watched.append((count, call))
        self._watched.sort(key=lambda entry: entry[0])
        self._schedule()

    def add(self, kind: int, beats: int, done: Callable[[], None]) -> None:
        """A burst whose beats can move from now on; ``done()`` in the cycle of its last beat."""
        now = self.events.now
        reads, writes = self._queues
        if reads or writes:
            self._advance(now)
        else:
            begin = max(now, self.bus_free)
            self.clock.restart(begin)
            self._slot = self.clock.before(begin)
        self.beats[kind] += beats
        queue = self._queues[kind]
        queue.append(_Burst(beats, done))
        if len(queue) == 1:
            self._schedule()

    def _advance(self, cycle: int) -> None:
        """Hands out the slots that begin before ``cycle``."""
        slot = self.clock.before(cycle)
        passed = slot - self._slot
        if passed <= 0:
            return
        self._slot = slot
        reads, writes = self._queues
        if reads and writes:
            first, second = (reads, writes) if self.turn == READ else (writes, reads)
            first[0].beats -= (passed + 1) // 2
            second[0].beats -= passed // 2
            self._written += passed // 2 if self.turn == READ else (passed + 1) // 2
            self.turn ^= passed & 1
        elif reads:
            reads[0].beats -= passed
            self.turn = WRITE
        elif writes:
            writes[0].beats -= passed
            self._written += passed
            self.turn = READ

    def _schedule(self) -> None:
        """Wakes up in the cycle of the last beat of whichever burst ends first, or of one that is
        watched.
        """
        reads, writes = self._queues
        watched = None
        if writes and self._watched:
            watched = max(1, self._watched[0][0] - self._written)
        if reads and writes:
            first, second = (reads, writes) if self.turn == READ else (writes, reads)
            left = min(2 * first[0].beats - 1, 2 * second[0].beats)
            if watched is not None:
                left = min(left, 2 * watched - (self.turn == WRITE))
        elif reads or writes:
            left = (reads or writes)[0].beats
            if watched is not None:
                left = min(left, watched)
        else:
            return
        self._epoch += 1
        # whatever comes to wait in that cycle has its turn
        self.events.late(self.clock.cycle_of(self._slot + left - 1), self._complete, self._epoch)

    def _complete(self, epoch: int) -> None:
        """A burst's last beat moves in this cycle."""
        if epoch != self._epoch:
            return
        self.bus_free = self.events.now + self.clock.beat_cycles
        self._advance(self.events.now + 1)
        ended = [queue.popleft() for queue in self._queues if queue and queue[0].beats <= 0]
        self._schedule()
        for burst in ended:
            burst.done()
        self._tell()

    def _tell(self) -> None:
        """Calls those who wait for write beats that have moved."""
        while self._watched and self._watched[0][0] <= self._written:
            self._watched.pop(0)[1]()
