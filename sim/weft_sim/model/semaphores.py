"""The counting semaphores that join a tile's engines (``tile/semaphores.py``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from weft_hw.isa import SEMAPHORE_MAX

from .events import Events

__all__ = ["Semaphores"]


def _bits(mask: int) -> Iterator[int]:
    """The numbers of the bits of a mask."""
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1


class _Taker(Protocol):
    """A front end, as far as semaphores go."""

    def wanted_mask(self) -> int | None:
        """The mask of the command that waits for semaphores; None if none does."""

    def granted(self) -> None:
        """Its semaphores have been taken in this cycle."""


class Semaphores:
    """Counters; one signal and one acquisition a cycle, the first engine first.

    A signal in one cycle satisfies a wait in the next.
    """

    def __init__(self, events: Events, count: int) -> None:
        self._events = events
        self.values = [0] * count
        #: those that are not zero, a bit each
        self._there = 0
        self.takers: Sequence[_Taker] = ()
        self._looked_at = -1

    def unmet(self, mask: int) -> int:
        """The bits of ``mask`` whose counter is zero."""
        return mask & ~self._there

    def signal(self, mask: int) -> bool:
        """Increments from the next cycle on; False, changing nothing, if a counter is full."""
        if any(self.values[i] >= SEMAPHORE_MAX for i in _bits(mask & self._there)):
            return False
        if mask:
            self._events.after(1, self._give, mask)
        return True

    def clear(self) -> None:
        self.values = [0] * len(self.values)
        self._there = 0

    def look(self, cycle: int) -> None:
        """Grants at the end of ``cycle`` what can be granted then."""
        self._events.late(cycle, self._grant)

    def _give(self, mask: int) -> None:
        for i in _bits(mask):
            self.values[i] += 1
        self._there |= mask
        self.look(self._events.now)

    def _grant(self) -> None:
        now = self._events.now
        if now == self._looked_at:
            self.look(now + 1)
            return
        chosen: Callable[[], None] | None = None
        again = False
        for taker in self.takers:
            mask = taker.wanted_mask()
            if mask is None or self.unmet(mask):
                continue
            if chosen is not None:
                again = True
                break
            self._looked_at = now
            chosen = taker.granted
            for i in _bits(mask):
                self.values[i] -= 1
                self._there &= ~(0 if self.values[i] else 1 << i)
        if again:
            self.look(now + 1)
        if chosen is not None:
            chosen()
