"""The clock of the model: a queue of things that happen at given cycles."""

import heapq
from collections.abc import Callable
from typing import Any

__all__ = ["Events"]


class Events:
    """Calls functions at cycles, in order of cycle and, within one, in order of scheduling.

    ``now`` is the cycle that is being worked on. Deterministic: no hashing, no wall clock.
    """

    def __init__(self) -> None:
        self.now = 0
        self._order = 0
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []

    def at(self, cycle: int, action: Callable[..., None], *arguments: Any) -> None:
        """Calls ``action(*arguments)`` at ``cycle``, or now if that has passed."""
        self._order += 1
        heapq.heappush(self._heap, (max(cycle, self.now), self._order, action, arguments))

    def after(self, cycles: int, action: Callable[..., None], *arguments: Any) -> None:
        """Calls ``action(*arguments)`` in ``cycles`` cycles."""
        self.at(self.now + cycles, action, *arguments)

    @property
    def horizon(self) -> int | None:
        """The cycle of the next event; None if there is none."""
        return self._heap[0][0] if self._heap else None

    def run(self, limit: int, stop: Callable[[], bool] | None = None) -> None:
        """Works through all events up to and including cycle ``limit``, or until ``stop()``.

        ``now`` ends at ``limit``, or at the cycle in which ``stop()`` came true.
        """
        heap = self._heap
        pop = heapq.heappop
        while heap and heap[0][0] <= limit:
            self.now, _, action, arguments = pop(heap)
            action(*arguments)
            if stop is not None and stop():
                return
        self.now = max(self.now, limit)
