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
#: endpoint/read.py: answers that wait for the sender beside those counted as in flight.
_ANSWERS = 2


def _buffer_beats(packet_bytes: int, flit_bytes: int) -> int:
    """endpoint/read.py ``read_buffer_beats``."""
    packets = 8 * packet_bytes // flit_bytes
    return max(256, 1 << (packets - 1).bit_length())


class ReadPath:
    """Reads ask for their beats in order, as their buffer has ``room``, and are answered in order
    once all their beats are there.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        config = endpoint.chip.config
        self.endpoint = endpoint
        self.events = endpoint.events
        self.port = endpoint.port
        self._capacity = _buffer_beats(config.mesh.max_packet_bytes, config.flit_bytes)
        self.room = self._capacity
        self.next_address = 0
        self.answers: Answers = endpoint.answers
        self._asking: deque[Request] = deque()
        self._asked: deque[Request] = deque()

    @property
    def full(self) -> bool:
        """Whether no further request is taken."""
        ready = max(0, self.answers.reads - _ANSWERS)
        return len(self._asking) + len(self._asked) + ready >= _READS

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        return not (self._asking or self._asked) and self.room == self._capacity

    def begin(self, request: Request) -> None:
        """A checked request."""
        self._asking.append(request)
        self._ask()

    def _ask(self) -> None:
        asking = self._asking
        while asking:
            request = asking[0]
            denied = request.status is Status.WINDOW
            if not denied and self.room < request.beats:
                return
            asking.popleft()
            if denied:
                self._asked.append(request)
                request.arrived = True
                self.events.after(TIMING.endpoint_denied, self._answer)
                continue
            self.take(request)
            cycle = max(self.events.now + TIMING.endpoint_address, self.next_address)
            cycle = self.port.accept(cycle)
            self.next_address = cycle + request.bursts
            self.events.at(cycle + self.port.latency, self.move, request)

    def take(self, request: Request) -> None:
        """A read gets its place in the buffer and in the order of answers."""
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
            self.answer(request, self.events.now + TIMING.endpoint_read_answer)

    def answer(self, request: Request, cycle: int) -> None:
        """The answer to a read is ready in ``cycle``."""
        self.events.at(cycle, self.answers.offer, READ, request)

    def give_room(self, beats: int) -> None:
        """Beats have left the buffer."""
        self.room += beats
        self._ask()
