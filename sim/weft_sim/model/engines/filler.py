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

    ``lead``: flits of a response that pass before the first of them; ``opened``: the first may.
    """

    __slots__ = ("lead", "left", "opened", "request", "start")

    def __init__(self, request: Request, start: int, left: int, lead: int = 0) -> None:
        self.request = request
        self.start = start
        self.left = left
        self.lead = lead
        self.opened = not isinstance(request, StripRow)

    @property
    def first(self) -> int:
        """The cycle of the first flit."""
        return self.start - self.lead + (not self.left)

    def begin(self, cycle: int) -> None:
        """The first flit does not pass before ``cycle``."""
        self.start = max(self.start, cycle + self.lead - (not self.left))


class WriteRegister:
    """A row a cycle: while a response comes and fills wait they take turns, the fill first unless
    the row before was one. The flits of a response that wait hold up the next one's header.

    The flits of a strip's rows pass beside the register; each row but the last needs it for its
    completion. The last makes columns, which count as fills and go before them; it waits if two
    strips are there. ``room_given`` is called when a further fill may be taken, ``written`` is
    given rows as they leave: cycle and row of the first, how many, how many rows apart.
    """

    def __init__(
        self,
        events: Events,
        header_flits: int,
        room_given: Callable[[], None],
        written: Callable[[int, int, int, int], None],
    ) -> None:
        self._events = events
        self._header_flits = header_flits
        self._room_given = room_given
        self._written = written
        self._fills: deque[_Rows] = deque()
        self._columns: deque[_Rows] = deque()
        self._responses: deque[_Rows] = deque()
        self._clock = 0
        self._filled = False
        self._wakes_at = -1

    def advance(self, cycle: int) -> None:
        """Works through all cycles up to ``cycle``."""
        self._advance(cycle + 1)

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

    def acknowledge(self, request: Request, last: int) -> None:
        """The same of an answer to a store, which only passes."""
        self._responses.append(_Rows(request, last, 0))
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
        while self._clock < end:
            waits_for = self._open(end)
            clock, local = self._clock, self._local()
            fill = local[0].start if local else _NEVER
            response = self._responses[0].start if waits_for is None else _NEVER
            column = self._columns[0].start if self._columns else _NEVER
            until = min(end, _NEVER if waits_for is None else max(waits_for, clock + 1))
            if min(fill, response) > clock:
                self._clock = min(fill, response, column, until)
            elif max(fill, response) <= clock:
                # one after the other, a row each
                self._filled = not self._filled
                self._move(local if self._filled else self._responses, 1)
            else:
                self._filled = fill <= clock
                rows = local if self._filled else self._responses
                until = min(response if self._filled else fill, until)
                if column > clock:
                    until = min(until, column)
                self._move(rows, min(rows[0].left, until - clock))
        self._clock = max(self._clock, end)

    def _open(self, end: int) -> int | None:
        """Brings the oldest response to where it needs the register; the cycle to look at it again
        if it is not there, None if it is.
        """
        while self._responses:
            rows = self._responses[0]
            if not rows.opened:
                if rows.first > self._clock:
                    return rows.first
                columns = self._columns
                if len(columns) == _STRIPS and columns[0].left > 1:
                    return self._clock
                rows.begin(self._clock)
                rows.opened = True
            if rows.left:
                return None
            if rows.start > self._clock:
                return rows.start
            self._responses.popleft()
            request = rows.request
            if not isinstance(request, StripRow):
                # the answer to a store has passed
                self._events.at(rows.start + request.settle, request.answered)
                self._follow(rows.start + 1)
                continue
            # the last row of a strip has come, and makes its columns
            begin = rows.start + TIMING.transpose_columns
            self._columns.append(_Rows(request, begin, request.strip.columns))
            self._follow(rows.start + 1)
        return _NEVER

    def _follow(self, cycle: int) -> None:
        """The header of the next response does not come before ``cycle``."""
        if self._responses:
            self._responses[0].begin(cycle + self._header_flits)

    def _move(self, queue: deque[_Rows], count: int) -> None:
        """The next ``count`` rows of the oldest."""
        rows = queue[0]
        request, before = rows.request, rows.left
        if not isinstance(request, StripRow):
            row = request.row + request.flits - before
            self._written(self._clock + 1, row, count, 1)
        elif queue is self._columns:
            strip = request.strip
            row = strip.row + (strip.columns - before) * strip.stride
            self._written(self._clock + 1, row, count, strip.stride)
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
