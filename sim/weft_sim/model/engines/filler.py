"""The load engine's write register (``dma/load.py``): rows of responses, and rows it fills itself
(``dma/fill.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..events import Events
from ..requests import Request
from ..timing import TIMING

__all__ = ["WriteRegister"]

#: dma/fill.py FILL_JOBS: jobs that may wait or run.
_JOBS = 8


class _Rows:
    """Rows of one request or fill: ``left`` of them, from cycle ``start`` on."""

    __slots__ = ("left", "request", "start")

    def __init__(self, request: Request, start: int) -> None:
        self.request = request
        self.start = start
        self.left = request.flits


class WriteRegister:
    """A row a cycle: while a response comes and fills wait they take turns, the fill first unless
    the row before was one. The flits of a response that wait hold up the next one's header.

    ``room_given`` is called when a further fill may be taken.
    """

    def __init__(self, events: Events, header_flits: int, room_given: Callable[[], None]) -> None:
        self._events = events
        self._header_flits = header_flits
        self._room_given = room_given
        self._fills: deque[_Rows] = deque()
        self._responses: deque[_Rows] = deque()
        self._clock = 0
        self._filled = False
        self._wakes_at = -1

    @property
    def full(self) -> bool:
        """Whether no further fill is taken now."""
        self._advance(self._events.now)
        return len(self._fills) >= _JOBS

    def fill(self, request: Request) -> None:
        """A fill taken now."""
        self._advance(self._events.now + 1)
        self._fills.append(_Rows(request, self._events.now + 1))
        self._wake()

    def respond(self, request: Request, last: int) -> None:
        """The last flit of a response arrives in cycle ``last`` if nothing holds it up."""
        self._responses.append(_Rows(request, last - request.flits + 1))
        self._wake()

    def _wake(self) -> None:
        """Looks again in the first cycle in which something can be complete."""
        ends = [
            max(rows[0].start, self._clock) + rows[0].left - 1
            for rows in (self._fills, self._responses)
            if rows
        ]
        if ends and min(ends) != self._wakes_at:
            self._wakes_at = min(ends)
            self._events.at(self._wakes_at, self._look, self._wakes_at)

    def _look(self, planned: int) -> None:
        if planned == self._wakes_at:
            self._wakes_at = -1
            self._advance(self._events.now + 1)
            self._wake()

    def _advance(self, end: int) -> None:
        """Works through the cycles before ``end``."""
        fills, responses = self._fills, self._responses
        while self._clock < end and (fills or responses):
            clock = self._clock
            fill = fills[0].start if fills else end
            response = responses[0].start if responses else end
            if min(fill, response) > clock:
                self._clock = min(fill, response, end)
            elif max(fill, response) <= clock:
                # one after the other, a row each
                self._filled = not self._filled
                self._move(fills if self._filled else responses, 1)
            else:
                self._filled = fill <= clock
                rows = fills if self._filled else responses
                self._move(rows, min(rows[0].left, min(max(fill, response), end) - clock))
        self._clock = max(self._clock, end)

    def _move(self, queue: deque[_Rows], count: int) -> None:
        """The next ``count`` rows of the oldest."""
        rows = queue[0]
        rows.left -= count
        self._clock += count
        if rows.left:
            return
        queue.popleft()
        written = self._clock - 1 + TIMING.load_settle
        self._events.at(written, rows.request.answered)
        if queue is self._fills:
            if len(queue) == _JOBS - 1:
                self._events.at(self._clock, self._room_given)
        elif queue:
            queue[0].start = max(queue[0].start, self._clock + self._header_flits)
