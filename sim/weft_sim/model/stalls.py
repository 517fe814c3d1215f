"""In which cycles the bus of a memory port moves a beat."""

from __future__ import annotations

from bisect import bisect_left

from ..dram import Dram

__all__ = ["SlotClock"]

_MASK = (1 << 32) - 1
_CHUNK_CYCLES = 4096


class SlotClock:
    """Counts slots: cycles in which a beat can begin, ``beat_cycles`` apart, none while the port
    stalls.

    Slots are numbered within a busy period; ``restart`` begins one.
    """

    def __init__(self, dram: Dram, port: int, beat_cycles: int) -> None:
        self.beat_cycles = beat_cycles
        self._threshold = int(dram.stall_probability * 2**32)
        self._state = (dram.stall_seed ^ 0x9E37_79B9 * (port + 1)) & _MASK or 1
        self._open: list[bool] = []
        self._plain = beat_cycles == 1 and not self._threshold
        self._cycles: list[int] = []
        self._next = 0

    @property
    def stalls(self) -> bool:
        """Whether there are stalls at all."""
        return self._threshold > 0

    def next_open(self, cycle: int) -> int:
        """The first cycle from ``cycle`` on in which the port does not stall."""
        if not self._threshold:
            return cycle
        while True:
            if cycle >= len(self._open):
                self._draw()
            elif self._open[cycle]:
                return cycle
            else:
                cycle += 1

    def _draw(self) -> None:
        """xorshift32, one number a cycle from reset on."""
        state, threshold, drawn = self._state, self._threshold, []
        for _ in range(_CHUNK_CYCLES):
            state ^= state << 13 & _MASK
            state ^= state >> 17
            state ^= state << 5 & _MASK
            drawn.append(state >= threshold)
        self._state = state
        self._open += drawn

    def restart(self, cycle: int) -> None:
        """Slot 0 is the first that can begin from ``cycle`` on: until then the bus is busy or
        idle.
        """
        self._next = cycle
        self._cycles = []

    def before(self, cycle: int) -> int:
        """Slots of this period that begin before ``cycle``."""
        if self._plain:
            return cycle
        while not self._cycles or self._cycles[-1] < cycle:
            self._extend()
        return bisect_left(self._cycles, cycle)

    def cycle_of(self, slot: int) -> int:
        """The cycle in which a slot begins."""
        if self._plain:
            return slot
        while len(self._cycles) <= slot:
            self._extend()
        return self._cycles[slot]

    def _extend(self) -> None:
        begin = self.next_open(self._next)
        self._next = begin + self.beat_cycles
        self._cycles.append(begin)
