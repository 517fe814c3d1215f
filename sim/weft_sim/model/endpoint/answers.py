"""Answers of an endpoint on their way to its sender (``endpoint/node.py``)."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from weft_hw.isa import Status

from ..port import READ, WRITE
from ..requests import Request

if TYPE_CHECKING:
    from ..target import ModelTarget
    from .reads import ReadPath
    from .writes import WritePath

__all__ = ["Answers"]


class Answers:
    """Answers to reads and to writes take turns, packet by packet, at the register before the
    sender.

    ``header_free`` is the cycle in which that register takes the next, if it is not ``_full``.
    """

    def __init__(self, chip: ModelTarget, reads: ReadPath, writes: WritePath) -> None:
        self.events = chip.dma_events
        self.header_flits = chip.network.response_header_flits
        self.header_free = 0
        self._reads, self._writes = reads, writes
        self._waiting: tuple[deque[Request], deque[Request]] = (deque(), deque())
        self.read_turn = False
        self._full = False
        self._looks_at = -1

    def offer(self, kind: int, request: Request) -> None:
        """An answer is ready for the register."""
        self._waiting[kind].append(request)
        if not self._full:
            self._look()

    def _look(self) -> None:
        cycle = max(self.header_free, self.events.now)
        if cycle != self._looks_at:
            self._looks_at = cycle
            self.events.late(cycle, self._choose, cycle)

    def _arrives(self, request: Request, last: int) -> None:
        """The last flit of an answer arrives in cycle ``last``."""
        if request.arrives is not None and request.status is Status.OK:
            request.arrives(last)
        else:
            self.events.at(last + request.settle, request.answered)

    def _choose(self, planned: int) -> None:
        """An answer goes into the register."""
        if planned != self._looks_at:
            return
        self._looks_at = -1
        reads, writes = self._waiting
        if self._full or not (reads or writes):
            return
        if self.header_free > self.events.now:
            self._look()
            return
        kind = READ if reads and (self.read_turn or not writes) else WRITE
        self.read_turn = kind == WRITE
        self._full = True
        if kind == WRITE:
            self._writes.responses.answer_taken()
        self._send(kind, self._waiting[kind].popleft(), self.events.now + 1)

    def _send(self, kind: int, request: Request, ready: int) -> None:
        sender = request.back.sender
        if sender.held:
            sender.waiters.append(partial(self._send, kind, request, ready))
            return
        flits = self.header_flits
        if kind == READ and request.status is Status.OK:
            flits += request.flits
        request.back.send(
            max(ready, sender.free),
            flits,
            lambda head: self._arrives(request, head + flits - 1),
            (self.header_flits, self._header_sent),
        )
        if kind == READ:
            self._sent(request, flits)

    def _header_sent(self, cycle: int) -> None:
        """The sender takes the last flit of a header."""
        self._full = False
        self.header_free = cycle
        if self._waiting[READ] or self._waiting[WRITE]:
            self._look()

    def _sent(self, request: Request, flits: int) -> None:
        sender = request.back.sender
        if sender.held:
            sender.waiters.append(partial(self._sent, request, flits))
            return
        self._reads.sent(request, flits)
