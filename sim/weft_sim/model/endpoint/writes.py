"""The write path of an endpoint (``endpoint/write.py``)."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from weft_hw.axi.bursts import PAGE_BYTES
from weft_hw.isa import Status

from ..port import WRITE
from ..requests import Request
from ..timing import TIMING
from .answers import Answers
from .responses import WriteResponses

if TYPE_CHECKING:
    from .node import Endpoint

__all__ = ["WritePath"]

#: endpoint/write.py: writes whose data is on its way to the memory; WRITES: those not confirmed.
_MOVING, _UNCONFIRMED = 4, 32
#: Flits beyond the data buffer's memory: in its output register, in the realigner, in the memory's
#: own buffer (``axi/queue.py``, ``endpoint/realign.py``, ``weft_sim.dram``).
_BEYOND = 3


class _Data:
    """The data of a write on its way: which beats of the port it becomes."""

    __slots__ = ("beats", "flits", "gone", "request")

    def __init__(self, request: Request, flits: int) -> None:
        self.request = request
        #: flits taken with it, and beats asked for before it, both since reset
        self.flits = flits
        self.beats: int | None = None
        self.gone: int | None = None


def _nothing() -> None:
    """Nobody waits for all but the last beat of a write."""


class WritePath:
    """Writes move their data in order, and are answered in order once they are confirmed."""

    answers: Answers

    def __init__(self, endpoint: Endpoint) -> None:
        config = endpoint.chip.config
        self.endpoint = endpoint
        self.events = endpoint.events
        self.port = endpoint.port
        self._places = max(16, 2 * config.mesh.max_packet_bytes // config.flit_bytes)
        self._address_free = 0
        #: writes handed over, or sure to be as their data moves, and not confirmed; from when on
        #: there has been room for one more
        self._unconfirmed = 0
        self._room_from = 0
        #: writes whose data may move, but for those before them; the last word of ``_front`` may
        #: not be handed over, or only from cycle ``_asked`` on, when it has come to the front
        self._waiting: deque[_Data] = deque()
        self._front: _Data | None = None
        self._asked: int | None = None
        #: writes whose data is not gone, the oldest first, and of them those begun
        self._data: deque[_Data] = deque()
        self._begun: deque[_Data] = deque(maxlen=_MOVING)
        self._flits = self._flits_gone = 0
        self._beats = 0
        #: the write whose data stands in the network
        self._stuck: _Data | None = None
        self._stuck_flit = self._stuck_from = 0
        self._watching = False
        self._last_gone = -2
        self.responses = WriteResponses(endpoint.events, endpoint.port, self._confirmed)

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        return not self._data

    @property
    def overfull(self) -> bool:
        """Whether data of a write accepted stands in the network."""
        return self._stuck is not None

    @property
    def excess(self) -> int:
        """Flits of accepted writes that find no place in the data buffer."""
        return max(0, self._flits - self._flits_gone - self._places)

    def buffer(self, request: Request, cycle: int) -> None:
        """A write is accepted in ``cycle``: its data comes in."""
        self._flits += request.flits
        data = _Data(request, self._flits)
        self._data.append(data)
        missing = self._flits - self._flits_gone - self._places - _BEYOND
        if missing <= 0:
            request.out.take_data(request.flits, cycle + request.flits)
            return
        self._stuck = data
        self._stuck_flit = max(0, request.flits - missing)
        self._stuck_from = cycle + 1
        self._unstick()

    def _unstick(self) -> None:
        """Each flit comes in once the one ``places`` before it has moved."""
        data = self._stuck
        if data is None or self._watching:
            return
        request = data.request
        first = data.flits - request.flits + 1 - self._places - _BEYOND
        while self._stuck_flit < request.flits:
            number = first + self._stuck_flit
            other = next(other for other in self._data if number <= other.flits)
            if other.beats is None:
                self._take()
                return
            beat = other.beats + number - (other.flits - other.request.flits)
            if not self.port.has_moved(beat):
                self._watching = True
                self._take()
                self.port.watch(beat, self._moved_on)
                return
            self._stuck_flit += 1
        self._stuck = None
        request.out.take_data(
            request.flits, max(self._stuck_from + request.flits - 1, self.events.now)
        )
        self.endpoint.advance()

    def _take(self) -> None:
        """The flits before the one that stands in the network have been taken."""
        assert self._stuck is not None
        count = self._stuck_flit
        self._stuck.request.out.take_data(count, self._stuck_from + count - 1)

    def _moved_on(self) -> None:
        """The beat that a flit waits for moves."""
        self._watching = False
        data = self._stuck
        assert data is not None
        cycle = max(self.events.now + 1, self._stuck_from + self._stuck_flit)
        self._stuck_flit += 1
        self._stuck_from = max(self._stuck_from, cycle + 1 - self._stuck_flit)
        self._unstick()

    def begin(self, request: Request, cycle: int) -> int | None:
        """A checked request that may be taken from ``cycle`` on: when it is, if that is known."""
        begun = self._begun
        taken = max(cycle, self._address_free)
        if len(begun) == _MOVING:
            gone = begun[0].gone
            if gone is None:
                return None
            taken = max(taken, gone + 1)
        data = next(data for data in self._data if data.request is request)
        begun.append(data)
        data.beats = self._beats
        if request.status is Status.WINDOW:
            self.events.at(taken + TIMING.endpoint_drop + request.flits, self._drop, data)
            return taken
        address = self.port.accept(taken + TIMING.endpoint_burst)
        self._address_free = address
        if request.bursts > 1:
            self._address_free = self.port.accept(address + 1)
        beat = self.port.accept(taken + TIMING.endpoint_write_beat)
        self._beats += request.beats
        self.events.at(max(address, beat) + 1, self._move, data)
        self._unstick()
        return taken

    def _handed_over(self, data: _Data, earliest: int) -> None:
        """The memory takes the last beat of a write, the one before having moved."""
        data.gone = self._last_gone = max(earliest, self.events.now, self._last_gone + 1)
        self.events.at(data.gone, self._gone, data)

    def _drop(self, data: _Data) -> None:
        data.gone = self.events.now
        self._gone(data)
        self._confirm(data.request)

    def _gone(self, data: _Data) -> None:
        """The last data of a write has left the buffer."""
        assert self._data[0] is data
        self._data.popleft()
        self._flits_gone += data.request.flits
        self.endpoint.advance()

    def _move(self, data: _Data) -> None:
        """The data of a write may move."""
        self._waiting.append(data)
        self._feed()

    def _feed(self) -> None:
        """Lets data move, the last word only if not too many are unconfirmed by then."""
        now = self.events.now
        while self._waiting and self._front is None:
            data = self._waiting.popleft()
            assert data.beats is not None
            beats = data.request.beats
            before_last = data.beats + beats - 1
            if data.request.bursts > 1:
                address = data.request.address % PAGE_BYTES
                to_page = PAGE_BYTES // self.port.width - address // self.port.width
                self.port.watch(data.beats + to_page, self._first_burst_written)
            earliest = now + beats - 2
            if self._unconfirmed < _UNCONFIRMED and self._room_from <= earliest:
                self._unconfirmed += 1
                self.port.add(WRITE, beats, partial(self._written, data.request))
                self.port.watch(before_last, partial(self._handed_over, data, earliest))
                continue
            self._front, self._asked = data, None
            if beats > 1:
                self.port.add(WRITE, beats - 1, _nothing)
            self.port.watch(before_last, self._ask_last)

    def _ask_last(self) -> None:
        """The last word of a write has come to the front."""
        self._asked = self.events.now
        self._let_last_go()

    def _let_last_go(self) -> None:
        """Hands it over once there is room for one more that is not confirmed."""
        data, now = self._front, self.events.now
        if data is None or self._asked is None or self._unconfirmed >= _UNCONFIRMED:
            return
        cycle = self.port.accept(max(now, self._room_from))
        if cycle > now:
            self.events.at(cycle, self._let_last_go)
            return
        self._asked = None
        self._unconfirmed += 1
        self._handed_over(data, now)
        self.events.after(1, self._move_last, data)

    def _move_last(self, data: _Data) -> None:
        """The last word of a write may move, and then those behind it."""
        self.port.add(WRITE, 1, partial(self._written, data.request))
        self._front = None
        self._feed()

    def _first_burst_written(self) -> None:
        """Of two bursts of a write the first: its response is taken without an answer."""
        due = self.port.accept(self.events.now + self.port.latency)
        self.events.at(due, self.responses.respond, None)

    def _written(self, request: Request) -> None:
        counts = self.endpoint.counts
        counts["beats_written"] += request.beats
        counts["bytes_written"] += request.length
        due = self.port.accept(self.events.now + self.port.latency)
        counts["last_write_response_cycle"] = max(due, counts["last_write_response_cycle"])
        self.events.at(due, self.responses.respond, request)

    def _confirmed(self, request: Request) -> None:
        if self._unconfirmed == _UNCONFIRMED:
            self._room_from = self.events.now + 1
        self._unconfirmed -= 1
        self._let_last_go()
        self._confirm(request)

    def _confirm(self, request: Request) -> None:
        self.responses.answers += 1
        self.events.after(TIMING.endpoint_write_answer, self.answers.offer, WRITE, request)
