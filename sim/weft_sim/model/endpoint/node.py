"""A memory endpoint: the window check before its read and write paths (``endpoint/node.py``)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..network import endpoint_node
from ..port import READ, WRITE, MemoryPort
from ..requests import Request
from .answers import Answers
from .reads import ReadPath
from .writes import WritePath

if TYPE_CHECKING:
    from ..target import ModelTarget

__all__ = ["Endpoint"]


class Endpoint:
    """Endpoint ``number``, on the west edge of row ``number``.

    Requests pass the check in order, so one that its path does not take holds up those behind: the
    check (``endpoint/window.py``) has two registers, what finds no place there stands in the
    network. ``waiters`` are called whenever a request has gone on.
    """

    def __init__(self, chip: ModelTarget, number: int) -> None:
        self.chip = chip
        self.events = chip.dma_events
        self.node = endpoint_node(number)
        self.port = MemoryPort(chip.dma_events, chip.dram, chip.config.flit_bytes, number)
        self.counts = chip.counts
        self.waiters: list[Callable[[], None]] = []
        self._header_flits = chip.network.request_header_flits
        #: those that stand in the network; the one in the first register, with the cycle it was
        #: taken in; the one in the second, with the first cycle in which its path may take it
        self._front: deque[tuple[int, Request, int]] = deque()
        self._first: tuple[int, Request, int] | None = None
        self._second: tuple[int, Request, int] | None = None
        self._first_free = 0
        self._taken = 0
        self.reads = ReadPath(self)
        self.writes = WritePath(self)
        self.answers = Answers(chip, self.reads, self.writes)
        self.reads.answers = self.writes.answers = self.answers

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        inside = self._front or self._first or self._second
        return not inside and self.reads.quiet and self.writes.quiet and self.port.idle

    @property
    def held_flits(self) -> int:
        """Flits of packets that have arrived and stand in the network."""
        held = self.writes.excess
        for kind, request, _ in self._front:
            held += self._header_flits + (request.flits if kind == WRITE else 0)
        return held

    def read(self, request: Request) -> None:
        """The last header flit of a READ is there."""
        self._front.append((READ, request, self.events.now))
        self.advance()

    def write(self, request: Request) -> None:
        """The last header flit of a WRITE is there; its data follows it."""
        self._front.append((WRITE, request, self.events.now))
        self.advance()

    def advance(self) -> None:
        """Lets requests go on as far as that is known."""
        while True:
            if self._second is not None:
                kind, request, cycle = self._second
                path = self.reads if kind == READ else self.writes
                taken = path.begin(request, cycle)
                if taken is not None:
                    self._taken = taken
                    self._second = None
            if self._second is None and self._first is not None:
                kind, request, cycle = self._first
                self._first = None
                self._first_free = max(cycle + 1, self._taken)
                self._second = kind, request, self._first_free + 1
                continue
            if self._first is None and self._front and self._accept():
                continue
            break
        if self.waiters:
            waiters, self.waiters = self.waiters, []
            for call in waiters:
                call()

    def _accept(self) -> bool:
        """Takes the next header into the check; the data of a write follows it."""
        kind, request, offered = self._front[0]
        if kind == WRITE and self.writes.overfull:
            # the data of the write before stands in the network
            return False
        self._front.popleft()
        cycle = max(offered, self._first_free)
        self._first = kind, request, cycle
        request.out.take_header(cycle)
        if kind == WRITE:
            self.writes.buffer(request, cycle)
        return True
