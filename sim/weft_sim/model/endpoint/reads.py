"""The read path of an endpoint (``endpoint/read.py``)."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from weft_hw.isa import Status

from ..port import READ
from ..requests import Request
from ..timing import TIMING
from .answers import Answers

if TYPE_CHECKING:
    from .node import Endpoint

__all__ = ["ReadPath"]

#: endpoint/read.py READS: requests in flight.
_READS = 64
#: endpoint/read.py ``how``: answers whose data may wait for the sender.
_ANSWERS = 2


def _buffer_beats(packet_bytes: int, flit_bytes: int) -> int:
    """endpoint/read.py ``read_buffer_beats``."""
    packets = 8 * packet_bytes // flit_bytes
    return max(256, 1 << (packets - 1).bit_length())


class ReadPath:
    """Reads ask for their beats in order, as their buffer has room, and are answered in order once
    all their beats are there.

    ``room``: places that are free; more become free a beat a cycle, as answers are sent.
    """

    answers: Answers

    def __init__(self, endpoint: Endpoint) -> None:
        config = endpoint.chip.config
        self.endpoint = endpoint
        self.events = endpoint.events
        self.port = endpoint.port
        self.capacity: int = _buffer_beats(config.mesh.max_packet_bytes, config.flit_bytes)
        self.room = self.capacity
        self.next_address = 0
        #: runs of beats that leave the buffer: cycle of the first, how many
        self._leaving: deque[tuple[int, int]] = deque()
        self._leaving_beats = 0
        self._asking: deque[tuple[Request, int]] = deque()
        self._asked: deque[Request] = deque()
        #: reads taken since reset, those whose answer is known to be due, and when it was
        self._begun = self._due = 0
        self._due_cycles = [-1] * _READS
        self._ready: deque[tuple[Request, int]] = deque()
        #: answers sent, and when their last flit was
        self._sent = 0
        self._sent_cycles = [-1] * _ANSWERS
        self._through = -1
        self._waits = False

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        if self._asking or self._asked:
            return False
        leaving = self._leaving
        while leaving and sum(leaving[0]) <= self.events.now:
            count = leaving.popleft()[1]
            self._leaving_beats -= count
            self.room += count
        return self.room == self.capacity

    def begin(self, request: Request, cycle: int) -> int | None:
        """A checked request that may be taken from ``cycle`` on: when it is, if that is known."""
        if self._begun - self._due >= _READS:
            self._waits = True
            return None
        taken = max(cycle, self._due_cycles[self._begun % _READS] + 1)
        self._begun += 1
        self._asking.append((request, taken))
        self._ask()
        return taken

    def _ask(self) -> None:
        asking = self._asking
        while asking:
            request, taken = asking[0]
            if request.status is Status.WINDOW:
                asking.popleft()
                self._asked.append(request)
                request.arrived = True
                self.events.at(taken, self._answer)
                continue
            found = self._find_room(request.beats)
            if found is None:
                return
            asking.popleft()
            self._asked.append(request)
            found = max(found, taken + TIMING.endpoint_fetch)
            cycle = max(found + TIMING.endpoint_burst, self.next_address)
            cycle = self.port.accept(cycle)
            self.next_address = cycle + request.bursts
            self.events.at(cycle + self.port.latency, self.move, request)

    def _find_room(self, beats: int) -> int | None:
        """Takes places in the buffer: the cycle in which they are free, None if not yet known."""
        missing = beats - self.room
        if missing > self._leaving_beats:
            return None
        cycle = 0
        if missing <= 0:
            self.room -= beats
            return cycle
        self._leaving_beats -= missing
        self.room = 0
        while missing:
            first, count = self._leaving.popleft()
            take = min(missing, count)
            cycle = first + take
            missing -= take
            if take < count:
                self._leaving.appendleft((first + take, count - take))
        return cycle

    def take(self, request: Request) -> None:
        """A read has its place in the buffer and in the order of answers."""
        self._asked.append(request)
        self.room -= request.beats

    def move(self, request: Request, beats: int | None = None) -> None:
        """The beats of a read, or the last ``beats`` of them, may move from now on."""
        count = request.beats if beats is None else beats
        self.port.add(READ, count, partial(self._arrived, request))

    def count(self, beats: int) -> None:
        """Adds beats to the statistics."""
        counts = self.endpoint.counts
        counts["beats_read"] += beats
        counts["bytes_read"] += beats * self.port.width

    def _arrived(self, request: Request) -> None:
        request.arrived = True
        self.count(request.beats)
        self._answer()

    def _answer(self) -> None:
        while self._asked and self._asked[0].arrived:
            request = self._asked.popleft()
            self._ready.append((request, self.events.now + TIMING.endpoint_read_due))
        self._note()

    def _note(self) -> None:
        """Notes when the answers to the oldest reads are due, as far as that is known."""
        ready = self._ready
        while ready and self._due - self._sent < _ANSWERS:
            request, cycle = ready.popleft()
            before = self._due_cycles[(self._due - 1) % _READS]
            cycle = max(cycle, before + 1, self._sent_cycles[self._due % _ANSWERS])
            self._due_cycles[self._due % _READS] = cycle
            self._due += 1
            self.answer(request, cycle + TIMING.endpoint_read_answer)
            if self._waits:
                self._waits = False
                self.events.at(self.events.now, self.endpoint.advance)

    def answer(self, request: Request, cycle: int) -> None:
        """The answer to a read is ready in ``cycle``."""
        request.ready = cycle
        self.events.at(cycle, self.answers.offer, READ, request)

    def sent(self, request: Request, flits: int) -> None:
        """A read's answer of ``flits`` is sent: its beats leave the buffer.

        The realigner (``endpoint/realign.py``) takes a word when the one before it is sent, the
        first words of a packet as soon as the packet before is through.
        """
        way, last = request.back, flits - 1
        begin = max(self._through, request.ready)
        through = way.sent(last, flits)
        # the last word is taken when the one before it is sent; an only one as soon as all its
        # beats can be, the first of two without waiting
        if flits - self.answers.header_flits > 1:
            taken = way.sent(last - 1, flits) + 1
        else:
            taken = max(begin, request.ready + bool(request.address % self.port.width)) + 1
        self._sent_cycles[self._sent % _ANSWERS] = taken if last else begin
        self._sent += 1
        self._note()
        if request.status is Status.WINDOW:
            return
        self._through = through
        if request.status is not Status.OK:
            self._leave(begin, request.beats)
            return
        early = min(request.beats, 2 if request.address % self.port.width else 1)
        self._leave(begin, early)
        rest = request.beats - early
        first = way.sent(flits - request.flits, flits)
        if through - first < request.flits:
            if rest:
                self._leave(max(begin + early, first), rest)
            return
        for word in range(rest):
            self._leave(way.sent(flits - request.flits + word, flits), 1)

    def _leave(self, cycle: int, beats: int) -> None:
        """Beats leave the buffer from ``cycle`` on, one a cycle."""
        self._leaving.append((cycle, beats))
        self._leaving_beats += beats
        if self._asking:
            self._ask()
