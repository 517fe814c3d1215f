"""A memory endpoint: READ and WRITE packets to accesses of its memory port, and the responses."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from weft_hw.isa import Status

from .network import endpoint_node
from .port import READ, WRITE, MemoryPort
from .requests import Request
from .timing import TIMING

if TYPE_CHECKING:
    from .target import ModelTarget

__all__ = ["CHECKED", "Endpoint"]

#: endpoint/window.py: headers that may wait in the window check.
CHECKED = 2

#: endpoint/read.py READS: requests in flight.
_READS = 64
#: endpoint/write.py: writes whose data is on its way to the memory; WRITES: those not confirmed.
_MOVING, _UNCONFIRMED = 4, 32
#: endpoint/read.py: answers that wait for the sender beside those counted as pending.
_ANSWERS = 2


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
        self._request_flits = chip.network.request_header_flits
        self._capacity = self.room = _read_buffer_beats(
            chip.config.mesh.max_packet_bytes, chip.config.flit_bytes
        )
        self._write_buffer = max(16, 2 * chip.config.mesh.max_packet_bytes // self.port.width)
        self._front: deque[tuple[int, Request]] = deque()
        self.waiters: list[Callable[[], None]] = []
        self._asking: deque[Request] = deque()
        self._answers: tuple[deque[Request], deque[Request]] = (deque(), deque())
        self._read_turn = False
        self.header_free = 0
        self._moving = 0
        self._unconfirmed = 0
        self._stalled: deque[tuple[Request, int]] = deque()
        self._buffered = 0
        self._overfull: deque[Request] = deque()
        self._reads: deque[Request] = deque()
        self.next_address = [0, 0]

    # --- reads --------------------------------------------------------------------------------

    def read(self, request: Request) -> None:
        """The last header flit of a READ has arrived."""
        self._arrive(READ, request)

    def _arrive(self, kind: int, request: Request) -> None:
        self._front.append((kind, request))
        self._advance()

    def _accept(self) -> None:
        """Headers that find a place in the window check; the data of writes follows them."""
        for kind, request in islice(self._front, CHECKED):
            if request.accepted:
                continue
            if self._overfull:
                # the data of the write before stands in the network
                return
            request.accepted = True
            last = self.events.now + 1
            if kind == WRITE:
                self._buffered += request.flits
                last += request.flits
                if self._buffered > self._write_buffer:
                    self._overfull.append(request)
                    return
            request.out.release(last)

    def _packet_flits(self, kind: int, request: Request) -> int:
        return self._request_flits + (request.flits if kind == WRITE else 0)

    @property
    def held_flits(self) -> int:
        """Flits of packets that have arrived and stand in the network."""
        held = max(0, self._buffered - self._write_buffer)
        if len(self._front) > CHECKED:
            held += sum(
                self._packet_flits(kind, request)
                for kind, request in islice(self._front, CHECKED, None)
            )
        return held

    def _advance(self) -> None:
        """Requests pass the window check in order: one that cannot go on holds up those behind."""
        front = self._front
        self._accept()
        while front and front[0][1].accepted:
            kind, request = front[0]
            if kind == READ:
                if self._pending_reads() >= _READS:
                    break
                front.popleft()
                self._asking.append(request)
                self._ask()
            else:
                if self._moving >= _MOVING:
                    break
                front.popleft()
                self._begin_write(request)
            self._accept()
        if self.waiters:
            waiters, self.waiters = self.waiters, []
            for look in waiters:
                look()

    def _pending_reads(self) -> int:
        """Reads whose answers have not gone on to the sender."""
        ready = max(0, len(self._answers[READ]) - _ANSWERS)
        return len(self._asking) + len(self._reads) + ready

    def _ask(self) -> None:
        asking = self._asking
        while asking:
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
            address = self._address(READ, request, TIMING.endpoint_address)
            self.events.at(address + self.port.latency, self.move_read, request)

    def take(self, request: Request) -> None:
        """A read gets its place in the buffer and in the order of answers."""
        self._reads.append(request)
        self.room -= request.beats

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        waiting = self._front or self._asking or self._reads or self._moving
        return not waiting and self.port.idle and self.room == self._capacity

    def _address(self, kind: int, request: Request, delay: int) -> int:
        """The cycle in which the memory takes the request's last address."""
        cycle = max(self.events.now + delay, self.next_address[kind])
        cycle = self.port.accept(cycle)
        self.next_address[kind] = cycle + request.bursts
        return cycle

    def move_read(self, request: Request, beats: int | None = None) -> None:
        """The beats of a read, or the last ``beats`` of them, may move from now on."""
        count = request.beats if beats is None else beats
        self.port.add(READ, count, partial(self._arrived, request))

    def count_read(self, request: Request) -> None:
        """Adds a read to the statistics."""
        self.counts["beats_read"] += request.beats
        self.counts["bytes_read"] += request.beats * self.port.width

    def _arrived(self, request: Request) -> None:
        request.arrived = True
        self.count_read(request)
        self._answer()

    def _answer(self) -> None:
        """Reads are answered in order."""
        reads = self._reads
        while reads and reads[0].arrived:
            self.answer_read(reads.popleft(), self.events.now + TIMING.endpoint_read_answer)

    def answer_read(self, request: Request, cycle: int) -> None:
        """The answer to a read is ready in ``cycle``."""
        self.events.at(cycle, self._offer, READ, request)

    def _offer(self, kind: int, request: Request) -> None:
        """An answer waits for the register before the sender."""
        self._answers[kind].append(request)
        if self.header_free <= self.events.now:
            self._send()
        elif len(self._answers[READ]) + len(self._answers[WRITE]) == 1:
            self.events.at(self.header_free, self._send)

    def _send(self) -> None:
        """Answers to reads and to writes in turn, packet by packet."""
        reads, writes = self._answers
        now = self.events.now
        if not (reads or writes) or self.header_free > now:
            return
        kind = READ if reads and (self._read_turn or not writes) else WRITE
        request = self._answers[kind][0]
        way = request.back
        if way.sender.held:
            way.sender.waiters.append(self._send)
            return
        self._answers[kind].popleft()
        self._read_turn = kind == WRITE
        flits = self._header_flits
        if kind == READ and request.status is Status.OK:
            flits += request.flits
        start = max(now + 1, way.sender.free)
        self.header_free = start + self._header_flits - 1
        way.send(
            start,
            flits,
            lambda head: self.events.at(head + flits - 1 + request.settle, request.answered),
        )
        if kind == READ and request.status is not Status.WINDOW:
            self.events.at(start + flits, self.give_room, request.beats)
        if kind == READ and self._front:
            self.events.after(1, self._advance)
        if reads or writes:
            self.events.at(max(self.header_free, now + 1), self._send)

    def give_room(self, beats: int) -> None:
        """Beats have left the read buffer."""
        self.room += beats
        self._ask()
        self._advance()

    # --- writes -------------------------------------------------------------------------------

    def write(self, request: Request) -> None:
        """The last header flit of a WRITE has arrived; its data follows it."""
        self._arrive(WRITE, request)

    def _begin_write(self, request: Request) -> None:
        """Lets the data of a write flow."""
        self._moving += 1
        if request.status is Status.WINDOW:
            cycle = self.events.now + TIMING.endpoint_write_beat + request.flits
            self.events.at(cycle, self._dropped, request)
            return
        address = self._address(WRITE, request, TIMING.endpoint_write_address)
        first_beat = self.port.accept(self.events.now + TIMING.endpoint_write_beat)
        self.events.at(max(address, first_beat) + 1, self._move_write, request)

    def _moved(self, request: Request) -> None:
        """The last data of a write has left the buffer."""
        self._moving -= 1
        self._buffered -= request.flits
        if self._overfull and self._buffered <= self._write_buffer:
            self._overfull.popleft().out.release(self.events.now + 1)
        self._advance()

    def _dropped(self, request: Request) -> None:
        self._moved(request)
        self._confirm(request)

    def _move_write(self, request: Request) -> None:
        """The data of a write may move, but for its last word if too many are not confirmed."""
        self._stalled.append((request, self.events.now))
        self._release()

    def _release(self) -> None:
        stalled, now = self._stalled, self.events.now
        while stalled and self._unconfirmed < _UNCONFIRMED:
            request, since = stalled.popleft()
            self._unconfirmed += 1
            beats = max(1, request.beats - (now - since))
            self.port.add(WRITE, beats, partial(self._written, request))

    def _written(self, request: Request) -> None:
        self._moved(request)
        self.counts["beats_written"] += request.beats
        self.counts["bytes_written"] += request.length
        due = self.port.accept(self.events.now + self.port.latency)
        self.counts["last_write_response_cycle"] = max(
            due, self.counts["last_write_response_cycle"]
        )
        self.events.at(due, self._confirmed, request)

    def _confirmed(self, request: Request) -> None:
        self._unconfirmed -= 1
        if self._stalled:
            self.events.after(1, self._release)
        self._confirm(request)

    def _confirm(self, request: Request) -> None:
        self.events.after(TIMING.endpoint_write_answer, self._offer, WRITE, request)
