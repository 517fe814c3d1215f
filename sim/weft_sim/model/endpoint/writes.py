"""The write path of an endpoint (``endpoint/write.py``)."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from weft_hw.isa import Status

from ..port import WRITE
from ..requests import Request
from ..timing import TIMING
from .answers import Answers

if TYPE_CHECKING:
    from .node import Endpoint

__all__ = ["WritePath"]

#: endpoint/write.py: writes whose data is on its way to the memory; WRITES: those not confirmed.
_MOVING, _UNCONFIRMED = 4, 32


class WritePath:
    """Writes move their data in order, and are answered in order once they are confirmed.

    ``excess`` counts flits of accepted writes that find no place in the data buffer.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        config = endpoint.chip.config
        self.endpoint = endpoint
        self.events = endpoint.events
        self.port = endpoint.port
        self.answers: Answers = endpoint.answers
        self._places = max(16, 2 * config.mesh.max_packet_bytes // config.flit_bytes)
        self._buffered = 0
        self._next_address = 0
        self._moving = 0
        self._unconfirmed = 0
        self._held: deque[tuple[Request, int]] = deque()

    @property
    def full(self) -> bool:
        """Whether no further request is taken."""
        return self._moving >= _MOVING

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        return not self._moving

    @property
    def excess(self) -> int:
        return max(0, self._buffered - self._places)

    def buffer(self, flits: int) -> None:
        """The data of an accepted write comes in."""
        self._buffered += flits

    def begin(self, request: Request) -> None:
        """A checked request: its data may flow."""
        self._moving += 1
        now = self.events.now
        if request.status is Status.WINDOW:
            self.events.at(now + TIMING.endpoint_write_beat + request.flits, self._drop, request)
            return
        address = max(now + TIMING.endpoint_write_address, self._next_address)
        address = self.port.accept(address)
        self._next_address = address + request.bursts
        first_beat = self.port.accept(now + TIMING.endpoint_write_beat)
        self.events.at(max(address, first_beat) + 1, self._move, request)

    def _drop(self, request: Request) -> None:
        self._gone(request)
        self._confirm(request)

    def _gone(self, request: Request) -> None:
        """The last data of a write has left the buffer."""
        self._moving -= 1
        self._buffered -= request.flits
        self.endpoint.write_gone()

    def _move(self, request: Request) -> None:
        """The data of a write may move, but for its last word if too many are not confirmed."""
        self._held.append((request, self.events.now))
        self._release()

    def _release(self) -> None:
        held, now = self._held, self.events.now
        while held and self._unconfirmed < _UNCONFIRMED:
            request, since = held.popleft()
            self._unconfirmed += 1
            beats = max(1, request.beats - (now - since))
            self.port.add(WRITE, beats, partial(self._written, request))

    def _written(self, request: Request) -> None:
        self._gone(request)
        counts = self.endpoint.counts
        counts["beats_written"] += request.beats
        counts["bytes_written"] += request.length
        due = self.port.accept(self.events.now + self.port.latency)
        counts["last_write_response_cycle"] = max(due, counts["last_write_response_cycle"])
        self.events.at(due, self._confirmed, request)

    def _confirmed(self, request: Request) -> None:
        self._unconfirmed -= 1
        if self._held:
            self.events.after(1, self._release)
        self._confirm(request)

    def _confirm(self, request: Request) -> None:
        self.events.after(TIMING.endpoint_write_answer, self.answers.offer, WRITE, request)
