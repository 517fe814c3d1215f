"""Answers of an endpoint on their way to its sender (``endpoint/node.py``)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from weft_hw.isa import Status

from ..port import READ, WRITE
from ..requests import Request

if TYPE_CHECKING:
    from ..target import ModelTarget

__all__ = ["Answers"]


class Answers:
    """Answers to reads and to writes take turns, packet by packet, at the register before the
    sender.

    ``header_free`` is the cycle in which that register takes the next; ``on_read_sent(request,
    end)``
    is told that the data of a read will have left before ``end``.
    """

    def __init__(self, chip: ModelTarget, on_read_sent: Callable[[Request, int], None]) -> None:
        self.events = chip.events
        self.header_flits = chip.network.response_header_flits
        self.header_free = 0
        self._on_read_sent = on_read_sent
        self._waiting: tuple[deque[Request], deque[Request]] = (deque(), deque())
        self._read_turn = False

    @property
    def reads(self) -> int:
        """Answers to reads that wait."""
        return len(self._waiting[READ])

    def offer(self, kind: int, request: Request) -> None:
        """An answer is ready for the register."""
        reads, writes = self._waiting
        self._waiting[kind].append(request)
        if self.header_free <= self.events.now:
            self._send()
        elif len(reads) + len(writes) == 1:
            self.events.at(self.header_free, self._send)

    def _arrives(self, request: Request, last: int) -> None:
        """The last flit of an answer arrives in cycle ``last``."""
        if request.arrives is not None and request.status is Status.OK:
            request.arrives(last)
        else:
            self.events.at(last + request.settle, request.answered)

    def _send(self) -> None:
        reads, writes = self._waiting
        now = self.events.now
        if not (reads or writes) or self.header_free > now:
            return
        kind = READ if reads and (self._read_turn or not writes) else WRITE
        request = self._waiting[kind][0]
        way = request.back
        if way.sender.held:
            way.sender.waiters.append(self._send)
            return
        self._waiting[kind].popleft()
        self._read_turn = kind == WRITE
        flits = self.header_flits
        if kind == READ and request.status is Status.OK:
            flits += request.flits
        start = max(now + 1, way.sender.free)
        self.header_free = start + self.header_flits - 1
        way.send(start, flits, lambda head: self._arrives(request, head + flits - 1))
        if kind == READ:
            self._on_read_sent(request, start + flits)
        if reads or writes:
            self.events.at(max(self.header_free, now + 1), self._send)
