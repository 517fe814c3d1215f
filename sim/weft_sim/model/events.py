"""The clock of the model: a queue of things that happen at given cycles."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

__all__ = ["Events"]

#: What has phase LATE in a cycle comes after everything else in it: arbitration among all requests;
#: and after that what several arbiters must agree on.
_EARLY, _LATE, _LAST = 0, 1, 2


class Events:
    """Calls functions at cycles, in order of cycle and, within one, in order of scheduling.

    ``now`` is the cycle that is being worked on; ``halt`` is set by an event that the host must see
    at once. ``inner`` is another clock whose events happen at their cycles too; it may be behind.
    Deterministic: no hashing, no wall clock.
    """

    def __init__(self, inner: Events | None = None) -> None:
        self.now = 0
        self.halt = False
        self.inner = inner
        # never equal to that of an event of the other clock
        self._order: float = 0 if inner is None else 0.5
        self._heap: list[tuple[int, int, float, Callable[..., None], tuple[Any, ...]]] = []

    def at(self, cycle: int, action: Callable[..., None], *arguments: Any) -> None:
        """Calls ``action(*arguments)`` at ``cycle``, or now if that has passed."""
        self._order += 1
        heapq.heappush(self._heap, (max(cycle, self.now), _EARLY, self._order, action, arguments))

    def after(self, cycles: int, action: Callable[..., None], *arguments: Any) -> None:
        """Calls ``action(*arguments)`` in ``cycles`` cycles."""
        self.at(self.now + cycles, action, *arguments)

    def late(self, cycle: int, action: Callable[..., None], *arguments: Any) -> None:
        """Calls ``action(*arguments)`` at the end of ``cycle``, or of this one if that has
        passed.
        """
        self._order += 1
        heapq.heappush(self._heap, (max(cycle, self.now), _LATE, self._order, action, arguments))

    def last(self, cycle: int, action: Callable[..., None], *arguments: Any) -> None:
        """Calls ``action(*arguments)`` in ``cycle`` after all that is late in it."""
        self._order += 1
        heapq.heappush(self._heap, (max(cycle, self.now), _LAST, self._order, action, arguments))

    def run(self, limit: int, *, until_halt: bool = False) -> None:
        """Works through all events up to and including cycle ``limit``.

        With ``until_halt`` it stops after an event that sets ``halt``. ``now`` ends at ``limit``,
        or at that event's cycle.
        """
        heap, inner = self._heap, self.inner
        others = inner._heap if inner is not None else []
        pop = heapq.heappop
        self.halt = False
        while True:
            if others and (not heap or others[0] < heap[0]):
                if others[0][0] > limit:
                    break
                assert inner is not None
                self.now, _, _, action, arguments = pop(others)
                inner.now = self.now
            elif heap and heap[0][0] <= limit:
                self.now, _, _, action, arguments = pop(heap)
            else:
                break
            action(*arguments)
            if self.halt and until_halt:
                return
        self.now = max(self.now, limit)
