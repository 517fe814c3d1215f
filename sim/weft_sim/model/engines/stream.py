"""Loads with the network to themselves: the same cycles as event by event, a line of numbers each.

While one load engine is the only DMA engine at work, nothing changes what happens to its requests,
so all of a command's are worked out when it begins. As soon as another engine starts, ``settle``
puts what is under way back among the events, as it stands in that cycle.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ..network import Link
from ..requests import Request, Walk
from ..timing import TIMING
from ..walks import TensorWalk
from ..wormhole import Channel

if TYPE_CHECKING:
    from .dma import Job
    from .load import LoadEngine

__all__ = ["LoadStream", "Passage"]


class Passage(NamedTuple):
    """The cycles of one request: first flit sent, accepted by the endpoint, first beat allowed,
    last
    beat, response sent, entry leaving the ring."""

    sent: int
    asked: int
    ready: int
    last_beat: int
    answered: int
    leaves: int


class _Timeline(NamedTuple):
    """A job, what becomes of its requests, and their beats and data flits."""

    job: Job
    passages: list[Passage]
    beats: int
    flits: int


class LoadStream:
    """Jobs of one load engine at one endpoint, one after the other."""

    def __init__(self, engine: LoadEngine, job: Job) -> None:
        self.engine = engine
        chip = engine.tile.chip
        self.number = job.command.fields.endpoint
        self.endpoint = chip.endpoints[self.number]
        self._out, self._back = job.out, job.back
        self._header = chip.network.request_header_flits
        self._answer = chip.network.response_header_flits
        self._out_cycles = TIMING.hop_cycles * (len(self._out.links) - 1) + self._header - 1
        self.jobs: deque[_Timeline] = deque()
        self._leaves: deque[int] = deque(maxlen=engine.depth)
        self._rooms: deque[tuple[int, int]] = deque()
        self._room = self.endpoint.reads.room
        self._sent = self._out.sender.free - self._header
        self._next_address = self.endpoint.reads.next_address
        self._bus_free = self.endpoint.port.bus_free
        self._answer_free = self._back.sender.free

    def run(self, job: Job, taken: int) -> tuple[int, int]:
        """Works out a job whose walk begins in ``taken``: (cycle from which the next walk can
        begin,
        cycle of the job's end)."""
        walk = job.walk
        assert isinstance(walk, Walk | TensorWalk)
        header, answer_header = self._header, self._answer
        out = self._out_cycles
        back = TIMING.hop_cycles * (len(self._back.links) - 1) + answer_header - 1
        back += TIMING.load_settle
        latency = self.endpoint.port.latency
        beat = self.endpoint.port.clock.beat_cycles
        depth, leaves, rooms = self.engine.depth, self._leaves, self._rooms
        room, sent = self._room, self._sent
        next_address, bus_free, answer_free = self._next_address, self._bus_free, self._answer_free
        to_address, to_answer = TIMING.endpoint_address, TIMING.endpoint_read_answer + 1
        walk_end = ready_at = max(taken + 1, sent + header - 1)
        sent = max(sent, ready_at + 1 - header)
        passages: list[Passage] = []
        leave = all_beats = all_flits = 0
        for flits, beats, bursts in walk.sizes():
            walk_end = ready_at
            all_beats += beats
            all_flits += flits
            sent += header
            if len(leaves) == depth and leaves[0] >= sent:
                sent = leaves[0] + 1
            ready_at = sent + header - 1
            asked = sent + out
            while room < beats:
                freed, amount = rooms.popleft()
                room += amount
                if freed > asked:
                    asked = freed
            room -= beats
            address = asked + to_address
            if next_address > address:
                address = next_address
            next_address = address + bursts
            ready = address + latency
            begin = ready if ready > bus_free else bus_free
            bus_free = begin + beats * beat
            last_beat = bus_free - beat
            answered = last_beat + to_answer
            if answer_free > answered:
                answered = answer_free
            answer_free = answered + answer_header + flits
            rooms.append((answer_free, beats))
            leave = answered + back + flits
            leaves.append(leave)
            passages.append(Passage(sent, asked, ready, last_beat, answered, leave))
        self._room, self._sent = room, sent
        self._next_address, self._bus_free, self._answer_free = next_address, bus_free, answer_free
        self.jobs.append(_Timeline(job, passages, all_beats, all_flits))
        return walk_end, leave

    def finish(self) -> None:
        """The oldest job has ended."""
        job, passages, beats, flits = self.jobs.popleft()
        assert isinstance(job.walk, Walk | TensorWalk)
        counters = self.engine.tile.counters
        self.endpoint.reads.count(beats)
        counters.bytes_loaded += job.walk.rows * job.walk.row_bytes
        counters.request_flits += len(passages) * self._header
        counters.response_flits += len(passages) * self._answer + flits
        if not self.jobs:
            self.put_back()

    def put_back(self) -> None:
        """Leaves the links, the port and the endpoint as they are after the last request."""
        self._use(self._out.links, self._sent + self._header)
        self._use(self._back.links, self._answer_free)
        self.endpoint.reads.next_address = self._next_address
        self.endpoint.port.read_until(self._bus_free)

    @staticmethod
    def _use(links: tuple[Link, ...] | tuple[Channel, ...], free: int) -> None:
        for number in range(len(links)):
            link = links[number]
            link.free = max(link.free, free + number * TIMING.hop_cycles)

    # --- back to events -----------------------------------------------------------------------

    def settle(self) -> None:
        """Puts every request that is under way where it stands now, and the rest back in its
        walk.
        """
        engine = self.engine
        now = engine.events.now
        taken = now
        rest: list[tuple[Job, list[Request]]] = []
        for job, passages, _, _ in self.jobs:
            walk = job.walk
            assert isinstance(walk, Walk | TensorWalk)
            # the last of a job leaves by an event, which ends the job
            gone = bisect_right(passages, now, hi=len(passages) - 1, key=lambda p: p.leaves)
            issued = bisect_right(passages, now, key=lambda p: p.sent)
            self._count(walk, gone)
            requests = list(walk.requests_from(gone))
            for request, passage in zip(requests, passages[gone:issued], strict=False):
                self._place(job, request, passage, now)
            if gone:
                self._leave_behind(passages[gone - 1])
            if issued:
                sent = passages[issued - 1].sent
                taken = max(now, sent + self._header - 1)
                self._use(self._out.links, sent + self._header)
            if issued < len(passages):
                rest.append((job, requests[issued - gone :]))
        engine.resume(rest, taken)

    def _count(self, walk: Walk | TensorWalk, gone: int) -> None:
        """Counts the first ``gone`` requests of a walk, which have left."""
        flits = beats = 0
        for data_flits, data_beats, _ in islice(walk.sizes(), gone):
            flits += data_flits
            beats += data_beats
        self.endpoint.reads.count(beats)
        counters = self.engine.tile.counters
        counters.bytes_loaded += walk.bytes_of(gone)
        counters.request_flits += gone * self._header
        counters.response_flits += gone * self._answer + flits

    def _leave_behind(self, passage: Passage) -> None:
        """The network and the port as the last request that has left leaves them."""
        self.endpoint.port.read_until(passage.last_beat + self.endpoint.port.clock.beat_cycles)
        back = TIMING.hop_cycles * self._back.routers + TIMING.load_settle
        self._use(self._back.links, passage.leaves - back + 1)

    def _place(self, job: Job, request: Request, passage: Passage, now: int) -> None:
        endpoint, reads, events = self.endpoint, self.endpoint.reads, self.engine.events
        self.engine.count_flits(request)
        self.engine.enter(job, request)
        if passage.last_beat <= now:
            reads.count(request.beats)
            endpoint.port.read_until(passage.last_beat + endpoint.port.clock.beat_cycles)
            if passage.answered <= now:
                self._place_answer(request, passage, now)
            else:
                reads.room -= request.beats
                ready = passage.last_beat + TIMING.endpoint_read_answer
                reads.answer(request, max(now, ready))
            return
        if passage.asked > now:
            # it may have arrived and wait for room in the endpoint's buffer
            events.at(passage.sent + self._out_cycles, endpoint.read, request)
            return
        reads.take(request)
        address = passage.ready - endpoint.port.latency + request.bursts
        reads.next_address = max(reads.next_address, address)
        if passage.ready > now:
            events.at(passage.ready, reads.move, request)
        else:
            beat = endpoint.port.clock.beat_cycles
            left = min(request.beats, (passage.last_beat - now) // beat + 1)
            if endpoint.port.idle:
                endpoint.port.read_until(passage.last_beat - (left - 1) * beat)
            reads.move(request, left)

    def _place_answer(self, request: Request, passage: Passage, now: int) -> None:
        endpoint, events = self.endpoint, self.engine.events
        free = passage.answered + self._answer + request.flits
        self._use(self._back.links, free)
        answers = endpoint.answers
        answers.header_free = max(answers.header_free, passage.answered + self._answer - 1)
        if free > now:
            endpoint.reads.room -= request.beats
            events.at(free, endpoint.reads.give_room, request.beats)
        events.at(passage.leaves, request.answered)
