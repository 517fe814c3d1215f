"""Loads with the network and the memory to themselves: a line of numbers for each request."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from weft_hw.isa import Engine

from .port import WRITE
from .timing import TIMING

if TYPE_CHECKING:
    from .requests import Shape
    from .target import ModelTarget

__all__ = ["LoadLine"]

_TO_FETCH = TIMING.endpoint_check + TIMING.endpoint_fetch
_TO_ANSWER = TIMING.endpoint_read_due + TIMING.endpoint_read_answer


class LoadLine:
    """The machine after some loads, cycles counted from an idle one.

    The same cycles as ``engines.load``, ``endpoint`` and ``port`` find event by event.
    """

    #: Whose turn it is when all is idle again: see ``Transfers``.
    turns: tuple[Any, ...] = (Engine.LOAD.value, WRITE, False)

    def __init__(self, chip: ModelTarget) -> None:
        network, config = chip.network, chip.config
        endpoint = chip.endpoints[0]
        hop = TIMING.hop_cycles
        self._header = network.request_header_flits
        self._answer = network.response_header_flits
        self._out = hop + self._header - 1
        self._back = hop + TIMING.load_settle
        self._latency = endpoint.port.latency
        self._beat = endpoint.port.clock.beat_cycles
        self._depth = config.tile.load_requests
        self._room: int = endpoint.reads.capacity
        self._walk_end = 0
        self._sent = -self._header
        self._next_address = 0
        self._bus_free = 0
        self._through = -1
        self._header_free = 0
        self._left = -1
        self._leaves: deque[int] = deque(maxlen=self._depth)
        self._rooms: deque[tuple[int, int]] = deque()
        #: when the last flit of each response to the last command leaves the endpoint
        self.responses: list[int] = []

    def copy(self) -> LoadLine:
        """The same state, to go on from it in another way."""
        other = object.__new__(LoadLine)
        other.__dict__.update(self.__dict__)
        other._leaves = self._leaves.copy()
        other._rooms = self._rooms.copy()
        return other

    def run(self, shape: Shape, begun: int, number: int) -> Iterator[tuple[int, int, int, int]]:
        """A command that begins in cycle ``begun``: when its decoder is free and it ends."""
        taken = max(begun + TIMING.dma_decode, self._walk_end)
        yield taken + TIMING.dma_free, 0, number, 0
        header, answer, out, back = self._header, self._answer, self._out, self._back
        latency, beat, depth = self._latency, self._beat, self._depth
        responses = self.responses = []
        leaves, rooms, room = self._leaves, self._rooms, self._room
        next_address, bus_free = self._next_address, self._bus_free
        through, header_free, left = self._through, self._header_free, self._left
        sent = self._sent
        walk_end = ready_at = max(taken + 1, sent + header - 1)
        sent = max(sent, ready_at + 1 - header)
        for flits, beats, bursts, early in shape.requests:
            walk_end = ready_at
            sent += header
            if len(leaves) == depth and leaves[0] >= sent:
                sent = leaves[0] + 1
            ready_at = sent + header - 1
            fetch = sent + out + _TO_FETCH
            while room < beats:
                first, count = rooms.popleft()
                missing = beats - room
                if count > missing:
                    rooms.appendleft((first + missing, count - missing))
                    count = missing
                room += count
                if first + count > fetch:
                    fetch = first + count
            room -= beats
            address = fetch + 1
            if next_address > address:
                address = next_address
            next_address = address + bursts
            begin = address + latency
            if bus_free > begin:
                begin = bus_free
            bus_free = begin + beats * beat
            offered = bus_free - beat + _TO_ANSWER
            start = (offered if offered > header_free else header_free) + 1
            if start <= through:
                start = through + 1
            header_free = start + answer - 1
            before, through = through, header_free + flits
            responses.append(through)
            first = offered if offered > before else before
            rooms.append((first, early))
            if beats > early:
                first += early
                data = header_free + 1
                rooms.append((data if data > first else first, beats - early))
            left = max(left + 1, through + back)
            leaves.append(left)
        self._room, self._sent, self._walk_end = room, sent, walk_end
        self._next_address, self._bus_free = next_address, bus_free
        self._through, self._header_free, self._left = through, header_free, left
        yield left, 1, number, 0
