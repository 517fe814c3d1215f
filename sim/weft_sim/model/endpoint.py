"""A memory endpoint: READ and WRITE packets to accesses of its memory port, and the responses."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from weft_hw.isa import Status

from .network import Way, endpoint_node
from .port import READ, WRITE, MemoryPort
from .requests import Request
from .timing import TIMING

if TYPE_CHECKING:
    from .target import ModelTarget

__all__ = ["Endpoint"]

#: endpoint/read.py READS: requests in flight.
_READS = 64


def _read_buffer_beats(packet_bytes: int, flit_bytes: int) -> int:
    """endpoint/read.py ``read_buffer_beats``."""
    packets = 8 * packet_bytes // flit_bytes
    return max(256, 1 << (packets - 1).bit_length())


class Endpoint:
    """Endpoint ``number``, on the west edge of row ``number``.

    Reads are answered in order once their last beat is there, writes in order once they are
    confirmed; the two share the port's bus and the way back.
    """

    def __init__(self, chip: ModelTarget, number: int) -> None:
        self.chip = chip
        self.events = chip.events
        self.node = endpoint_node(number)
        self.port = MemoryPort(chip.events, chip.dram, chip.config.flit_bytes, number)
        self.counts = chip.counts
        self._header_flits = chip.network.response_header_flits
        self._capacity = self.room = _read_buffer_beats(
            chip.config.mesh.max_packet_bytes, chip.config.flit_bytes
        )
        self._asking: deque[Request] = deque()
        self._reads: deque[Request] = deque()
        self.next_address = [0, 0]

    # --- reads --------------------------------------------------------------------------------

    def read(self, request: Request) -> None:
        """The last header flit of a READ has arrived."""
        self._asking.append(request)
        self._ask()

    def _ask(self) -> None:
        asking = self._asking
        while asking and len(self._reads) < _READS:
            request = asking[0]
            denied = request.status is Status.WINDOW
            if not denied and self.room < request.beats:
                return
            asking.popleft()
            if denied:
                self._reads.append(request)
                request.arrived = True
                self.events.after(TIMING.endpoint_denied, self._answer)
                continue
            self.take(request)
            address = self._address(READ, request)
            self.events.at(address + self.port.latency, self.move_read, request)

    def take(self, request: Request) -> None:
        """A read gets its place in the buffer and in the order of answers."""
        self._reads.append(request)
        self.room -= request.beats

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        return (
            not self._asking and not self._reads and self.port.idle and self.room == self._capacity
        )

    def _address(self, kind: int, request: Request) -> int:
        """The cycle in which the memory takes the request's last address."""
        cycle = max(self.events.now + TIMING.endpoint_address, self.next_address[kind])
        cycle = self.port.accept(cycle)
        self.next_address[kind] = cycle + request.bursts
        return cycle

    def move_read(self, request: Request, beats: int | None = None) -> None:
        """The beats of a read, or the last ``beats`` of them, may move from now on."""
        count = request.beats if beats is None else beats
        self.port.add(READ, count, lambda: self._arrived(request))

    def count_read(self, request: Request) -> None:
        """Adds a read to the statistics."""
        self.counts["beats_read"] += request.beats
        self.counts["bytes_read"] += request.beats * self.port.width

    def _arrived(self, request: Request) -> None:
        request.arrived = True
        self.count_read(request)
        self._answer()

    def _answer(self) -> None:
        """Sends the responses that are due, in order."""
        reads = self._reads
        while reads and reads[0].arrived:
            request = reads.popleft()
            flits = self._header_flits
            if request.status is Status.OK:
                flits += request.flits
            way = request.back
            head = way.send(self.events.now + TIMING.endpoint_read_response, flits)
            self.events.at(head + flits - 1 + request.settle, request.answered)
            if request.status is not Status.WINDOW:
                self.events.at(way.free, self.give_room, request.beats)

    def give_room(self, beats: int) -> None:
        self.room += beats
        self._ask()

    # --- writes -------------------------------------------------------------------------------

    def write(self, request: Request) -> None:
        """The last header flit of a WRITE has arrived; its data follows it."""
        if request.status is Status.WINDOW:
            self.events.after(TIMING.endpoint_write_beat + request.flits, self._confirm, request)
            return
        address = self._address(WRITE, request)
        first_beat = address + TIMING.endpoint_write_beat - TIMING.endpoint_address
        self.events.at(first_beat, self._move_write, request)

    def _move_write(self, request: Request) -> None:
        self.port.add(WRITE, request.beats, lambda: self._written(request))

    def _written(self, request: Request) -> None:
        self.counts["beats_written"] += request.beats
        self.counts["bytes_written"] += request.length
        due = self.port.accept(self.events.now + self.port.latency)
        self.counts["last_write_response_cycle"] = max(
            due, self.counts["last_write_response_cycle"]
        )
        self.events.at(due, self._confirm, request)

    def _confirm(self, request: Request) -> None:
        way: Way = request.back
        ready = self.events.now + TIMING.endpoint_write_response
        head = way.send(ready, self._header_flits)
        self.events.at(head + self._header_flits - 1 + request.settle, request.answered)
