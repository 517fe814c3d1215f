"""A memory endpoint: the window check before its read and write paths (``endpoint/node.py``)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

from weft_hw.isa import Status

from ..network import endpoint_node
from ..port import READ, WRITE, MemoryPort
from ..requests import Request
from .answers import Answers
from .reads import ReadPath
from .writes import WritePath

if TYPE_CHECKING:
    from ..target import ModelTarget

__all__ = ["Endpoint"]

#: endpoint/window.py: headers that may wait in the window check.
_CHECKED = 2


class Endpoint:
    """Endpoint ``number``, on the west edge of row ``number``.

    Requests pass the check in order, so one that its path does not take holds up those behind; what
    finds no place there stands in the network. ``waiters`` are called whenever a request has
    gone on.
    """

    def __init__(self, chip: ModelTarget, number: int) -> None:
        self.chip = chip
        self.events = chip.events
        self.node = endpoint_node(number)
        self.port = MemoryPort(chip.events, chip.dram, chip.config.flit_bytes, number)
        self.counts = chip.counts
        self.waiters: list[Callable[[], None]] = []
        self._header_flits = chip.network.request_header_flits
        self._front: deque[tuple[int, Request]] = deque()
        self._overfull: deque[Request] = deque()
        self.answers = Answers(chip, self._read_sent)
        self.reads = ReadPath(self)
        self.writes = WritePath(self)

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        return not self._front and self.reads.quiet and self.writes.quiet and self.port.idle

    @property
    def held_flits(self) -> int:
        """Flits of packets that have arrived and stand in the network."""
        held = self.writes.excess
        if len(self._front) > _CHECKED:
            for kind, request in islice(self._front, _CHECKED, None):
                held += self._header_flits + (request.flits if kind == WRITE else 0)
        return held

    def read(self, request: Request) -> None:
        """The last header flit of a READ has arrived."""
        self._front.append((READ, request))
        self._advance()

    def write(self, request: Request) -> None:
        """The last header flit of a WRITE has arrived; its data follows it."""
        self._front.append((WRITE, request))
        self._advance()

    def _accept(self) -> None:
        """Headers that find a place in the window check; the data of writes follows them."""
        for kind, request in islice(self._front, _CHECKED):
            if request.accepted:
                continue
            if self._overfull:
                # the data of the write before stands in the network
                return
            request.accepted = True
            end = self.events.now + 1
            if kind == WRITE:
                self.writes.buffer(request.flits)
                end += request.flits
                if self.writes.excess:
                    self._overfull.append(request)
                    return
            request.out.release(end)

    def _advance(self) -> None:
        front = self._front
        self._accept()
        while front and front[0][1].accepted:
            kind, request = front[0]
            path = self.reads if kind == READ else self.writes
            if path.full:
                break
            front.popleft()
            path.begin(request)
            self._accept()
        if self.waiters:
            waiters, self.waiters = self.waiters, []
            for call in waiters:
                call()

    def write_gone(self) -> None:
        """The data of a write has left its buffer."""
        if self._overfull and not self.writes.excess:
            self._overfull.popleft().out.release(self.events.now + 1)
        self._advance()

    def _read_sent(self, request: Request, end: int) -> None:
        """The answer to a read goes out."""
        if request.status is not Status.WINDOW:
            self.events.at(end, self.reads.give_room, request.beats)
        if self._front:
            self.events.after(1, self._advance)
