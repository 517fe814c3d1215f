"""The clock of the model: a queue of things that happen at given cycles."""

import heapq
from collections.abc import Callable
from typing import Any

__all__ = ["Events"]

#: What has phase LATE in a cycle comes after everything else in it: arbitration among all requests.
_EARLY, _LATE = 0, 1


class Events:
    """Calls functions at cycles, in order of cycle and, within one, in order of scheduling.

    ``now`` is the cycle that is being worked on; ``halt`` is set by an event that the host must see
    at once. Deterministic: no hashing, no wall clock.
    """

    def __init__(self) -> None:
        self.now = 0
        self.halt = False
        self._order = 0
        self._heap: list[tuple[int, int, int, Callable[..., None], tuple[Any, ...]]] = []

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

    def run(self, limit: int, *, until_halt: bool = False) -> None:
        """Works through all events up to and including cycle ``limit``.

        With ``until_halt`` it stops after an event that sets ``halt``. ``now`` ends at
        ``limit``, or
        at that event's cycle.
        """
        heap = self._heap
        pop = heapq.heappop
        self.halt = False
        while heap and heap[0][0] <= limit:
            self.now, _, _, action, arguments = pop(heap)
            action(*arguments)
            if self.halt and until_halt:
                return
        self.now = max(self.now, limit)
