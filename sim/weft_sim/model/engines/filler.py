"""The load engine's write register (``dma/load.py``): rows of responses, rows that it fills itself
(``dma/fill.py``) and columns of strips (``dma/transpose.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..events import Events
from ..requests import Request
from ..strips import StripRow
from ..timing import TIMING

__all__ = ["WriteRegister"]

#: dma/fill.py FILL_JOBS: jobs that may wait or run.
_JOBS = 8
#: dma/transpose.py: strips that are buffered.
_STRIPS = 2
_NEVER = 1 << 62


class _Rows:
    """Rows of one request, fill or strip: ``left`` of them, from cycle ``start`` on.

    ``lead``: flits of a response that pass before the first of them.
    """

    __slots__ = ("lead", "left", "request", "start")

    def __init__(self, request: Request, start: int, left: int, lead: int = 0) -> None:
        self.request = request
        self.start = start
        self.left = left
        self.lead = lead


class WriteRegister:
    """A row a cycle: while a response comes and fills wait they take turns, the fill first unless
    the row before was one. The flits of a response that wait hold up the next one's header.

    The flits of a strip's rows pass beside the register; each row but the last needs it for its
    completion. The last makes columns, which count as fills and go before them; it waits if two
    strips are there. ``room_given`` is called when a further fill may be taken.
    """

    def __init__(self, events: Events, header_flits: int, room_given: Callable[[], None]) -> None:
        self._events = events
        self._header_flits = header_flits
        self._room_given = room_given
        self._fills: deque[_Rows] = deque()
        self._columns: deque[_Rows] = deque()
        self._responses: deque[_Rows] = deque()
        self._strips_free_from = 0
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
        self._fills.append(_Rows(request, self._events.now + 1, request.flits))
        self._wake()

    def respond(self, request: Request, last: int) -> None:
        """The last flit of a response arrives in cycle ``last`` if nothing holds it up."""
        if isinstance(request, StripRow):
            passing = request.flits if request.ends else request.flits - 1
            start = last if request.ends else last - request.flits + 1 + passing
            rows = _Rows(request, start, request.flits - passing, passing)
        else:
            rows = _Rows(request, last - request.flits + 1, request.flits)
        self._responses.append(rows)
        self._wake()

    # --- time ---------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Looks again in the first cycle in which something can be complete."""
        heads = [queue[0] for queue in (self._columns, self._fills, self._responses) if queue]
        ends = [max(rows.start, self._clock) + max(rows.left, 1) - 1 for rows in heads]
        if ends and min(ends) != self._wakes_at:
            self._wakes_at = min(ends)
            self._events.at(self._wakes_at, self._look, self._wakes_at)

    def _look(self, planned: int) -> None:
        if planned == self._wakes_at:
            self._wakes_at = -1
            self._advance(self._events.now + 1)
            self._wake()

    def _local(self) -> deque[_Rows]:
        """Columns if there are any, else fills."""
        columns = self._columns
        return columns if columns and columns[0].start <= self._clock else self._fills

    def _advance(self, end: int) -> None:
        """Works through the cycles before ``end``."""
        responses = self._responses
        while self._clock < end:
            self._collect_strips(end)
            clock, local = self._clock, self._local()
            fill = local[0].start if local else _NEVER
            response = responses[0].start if responses else _NEVER
            column = self._columns[0].start if self._columns else _NEVER
            if min(fill, response) > clock:
                self._clock = min(fill, response, column, end)
            elif max(fill, response) <= clock:
                # one after the other, a row each
                self._filled = not self._filled
                self._move(local if self._filled else responses, 1)
            else:
                self._filled = fill <= clock
                rows = local if self._filled else responses
                until = min(response if self._filled else fill, end)
                if column > clock:
                    until = min(until, column)
                self._move(rows, min(rows[0].left, until - clock))
        self._clock = max(self._clock, end)

    def _collect_strips(self, end: int) -> None:
        """Last rows of strips that have come by now make their columns."""
        responses = self._responses
        while responses and not responses[0].left and responses[0].start <= self._clock:
            rows = responses[0]
            if rows.start >= end:
                return
            responses.popleft()
            request = rows.request
            assert isinstance(request, StripRow)
            begin = rows.start + TIMING.transpose_columns
            self._columns.append(_Rows(request, begin, request.strip.columns))
            self._follow(rows.start + 1)

    def _follow(self, cycle: int) -> None:
        """The response before the next one is through in the cycle before ``cycle``."""
        if self._responses:
            rows = self._responses[0]
            rows.start = max(rows.start, cycle + self._header_flits + rows.lead)
            self._hold(rows)

    def _hold(self, rows: _Rows) -> None:
        """A strip waits while two are there."""
        if rows.lead or not rows.left:
            rows.start = max(rows.start, self._strips_free_from + rows.lead)
            if len(self._columns) >= _STRIPS:
                rows.start = max(rows.start, self._clock + self._columns[0].left)

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
        elif queue is self._responses:
            self._follow(self._clock)
        else:
            self._strips_free_from = self._clock - 1
