"""What a node that sends alone wants to send: packets one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .events import Events

if TYPE_CHECKING:
    from .route import Route, Sender

__all__ = ["Outbox"]


class _Letter(NamedTuple):
    ready: int
    way: Route
    flits: int
    deliver: Callable[[int], None]
    sent: Callable[[int], None] | None


class Outbox:
    """Sends packets in order, each once it is ready and the link before it is free."""

    def __init__(self, events: Events, link: Sender) -> None:
        self._events = events
        self._link = link
        self._letters: deque[_Letter] = deque()
        self._waits = False

    def post(
        self,
        ready: int,
        way: Route,
        flits: int,
        deliver: Callable[[int], None],
        sent: Callable[[int], None] | None = None,
    ) -> None:
        """A packet that may go from cycle ``ready`` on.

        ``deliver`` is given the cycle in which its first flit arrives, ``sent`` the one of its last
        flit's leaving, as soon as that is known.
        """
        self._letters.append(_Letter(ready, way, flits, deliver, sent))
        if not self._waits:
            self._pump()

    def _pump(self) -> None:
        self._waits = False
        while self._letters:
            if self._link.held:
                self._wait(self._pump)
                return
            letter = self._letters.popleft()
            start = max(letter.ready, self._link.free)
            letter.way.send(start, letter.flits, letter.deliver)
            if letter.sent is None:
                continue
            if self._link.held:
                self._wait(lambda letter=letter: self._is_sent(letter))
                return
            letter.sent(self._link.free - 1)

    def _wait(self, call: Callable[[], None]) -> None:
        self._waits = True
        self._link.waiters.append(call)

    def _is_sent(self, letter: _Letter) -> None:
        assert letter.sent is not None
        letter.sent(self._link.free - 1)
        self._pump()
