"""The memory's responses to writes, as an endpoint takes them (``endpoint/write.py``)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..requests import Request

if TYPE_CHECKING:
    from ..events import Events
    from ..port import MemoryPort

__all__ = ["WriteResponses"]

#: endpoint/write.py ``answers``: answers that may wait for the sender's register.
_ANSWERS = 2


class WriteResponses:
    """Responses in order, one a cycle and none while the port stalls; the last of a write waits for
    a place of its answer. ``confirmed`` is given the write.
    """

    def __init__(
        self, events: Events, port: MemoryPort, confirmed: Callable[[Request], None]
    ) -> None:
        self._events = events
        self._port = port
        self._confirmed = confirmed
        self._due: deque[Request | None] = deque()
        self._last_taken = -1
        #: answers that wait for the sender's register
        self.answers = 0

    def respond(self, request: Request | None) -> None:
        """The memory has a response; None: of the first of a write's two bursts."""
        self._due.append(request)
        if len(self._due) == 1:
            self._take()

    def answer_taken(self) -> None:
        """An answer goes into the sender's register in this cycle."""
        self._events.after(1, self._answer_left)

    def _answer_left(self) -> None:
        self.answers -= 1
        self._take()

    def _take(self) -> None:
        """Takes the oldest response if there is a place for the answer."""
        if not self._due or (self._due[0] is not None and self.answers >= _ANSWERS):
            return
        now = self._events.now
        raised = self._port.accept(self._last_taken + 1)
        if now < raised:
            self._events.at(raised, self._take)
            return
        self._last_taken = now
        request = self._due.popleft()
        if request is not None:
            self._confirmed(request)
        self._take()
