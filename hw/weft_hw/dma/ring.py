"""The tag ring: what a DMA engine has in flight, in the order of issue.

A request takes the next entry of the ring, and the entry's number as its tag. Responses come back
in any order and mark their entry; entries leave in order, and the last one of a command leaves as
its ``Done``. An entry that never was a request (a fault, an abort) is born marked. So of several
errors of a command the one earliest in program order counts, however the responses were ordered.

Latency: entry marked (``complete``) in cycle t, ``done`` offered in t + 1 if it is the oldest.
Throughput: an entry a cycle.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..isa import Status
from ..tile.engine import Done

__all__ = ["Completed", "Entry", "RequestRing", "Ticket"]


class Entry(data.StructLayout):
    """What is kept of an access until it leaves: see ``pattern.Access``."""

    def __init__(self, *, address_bits):
        super().__init__({
            "status": Status,
            "last": unsigned(1),
            "length": unsigned(13),
            "address": unsigned(max(32, address_bits)),
        })


class Completed(data.StructLayout):
    """Request ``tag`` is answered: its data written, or acknowledged, or an error."""

    def __init__(self, *, tags):
        super().__init__({"tag": range(tags), "status": Status})


class Ticket(data.Struct):
    """What a command leaves at the counter to get its ``Done``."""

    index: unsigned(32)
    signal: unsigned(16)


class _Oldest(data.Struct):
    """The oldest entry: it has been answered and is not its command's last (``passes``) or is
    (``ends``).
    """

    passes: unsigned(1)
    ends: unsigned(1)


class RequestRing(wiring.Component):
    """``requests`` entries.

    Members
    -------
    room : Out(1)
        an entry is free; stays so until ``allocate``
    offered, entry, faulty : In
        what would take the free entry; its status is not OK
    allocate : In(1)
        it does; at once if ``faulty``
    tag : Out
        the number of the entry that ``allocate`` takes
    complete : In(stream.Signature(Completed, always_ready=True))
    ticket : In(stream.Signature(Ticket))
        of the oldest command; taken when its last entry leaves
    done : Out(stream.Signature(Done))
    failed : Out(1)
        the oldest command has met an error and has not left
    bytes : Out(13)
        payload bytes of the request that leaves this cycle, 0 if it failed or none leaves
    """

    def __init__(self, *, requests, address_bits):
        self.requests = requests
        self.address_bits = address_bits
        super().__init__({
            "room": Out(1),
            "offered": In(1),
            "entry": In(Entry(address_bits=address_bits)),
            "faulty": In(1),
            "allocate": In(1),
            "tag": Out(range(requests)),
            "complete": In(stream.Signature(Completed(tags=requests), always_ready=True)),
            "ticket": In(stream.Signature(Ticket)),
            "done": Out(stream.Signature(Done(address_bits=address_bits))),
            "failed": Out(1),
            "bytes": Out(13),
        })

    def elaborate(self, platform):
        m = Module()
        tag_bits = ceil_log2(self.requests)
        depth = self.requests
        kept = data.StructLayout({
            name: self.entry.shape()[name].shape for name in ("length", "address")})
        m.submodules.entries = entries = Memory(shape=kept, depth=depth, init=[])
        m.submodules.statuses = statuses = Memory(shape=Status, depth=depth, init=[])
        m.submodules.answers = answers = Memory(shape=Status, depth=depth, init=[])
        entry_write, entry_read = entries.write_port(), entries.read_port(domain="comb")
        status_write, answer_write = statuses.write_port(), answers.write_port()

        # the free entry (tail) follows what is offered, so that nothing waits for it to be taken
        tail, head, next_head = Signal(tag_bits), Signal(tag_bits), Signal(tag_bits, init=1)
        held, room = Signal(range(depth + 1)), Signal(init=1)
        waiting, lasts = Signal(depth), Signal(depth)
        writes, leaves = Signal(), Signal()
        oldest, answer = entry_read.data, self.complete.payload
        m.d.comb += [
            self.room.eq(room),
            self.tag.eq(tail),
            writes.eq(self.offered & room),
            entry_write.addr.eq(tail),
            entry_write.data.length.eq(self.entry.length),
            entry_write.data.address.eq(self.entry.address),
            entry_write.en.eq(writes),
            status_write.addr.eq(tail),
            status_write.data.eq(self.entry.status),
            status_write.en.eq(writes),
            answer_write.addr.eq(answer.tag),
            answer_write.data.eq(answer.status),
            answer_write.en.eq(self.complete.valid),
            entry_read.addr.eq(head),
        ]
        with m.If(self.complete.valid):
            m.d.sync += waiting.bit_select(answer.tag, 1).eq(0)
        with m.If(writes):
            m.d.sync += [
                waiting.bit_select(tail, 1).eq(~self.faulty),
                lasts.bit_select(tail, 1).eq(self.entry.last),
            ]
        with m.If(self.allocate):
            m.d.sync += tail.eq(tail + 1)
        m.d.sync += [
            held.eq(Mux(leaves, held - 1 + self.allocate, held + self.allocate)),
            room.eq(leaves | Mux(self.allocate, held != depth - 1, room)),
        ]

        # the oldest entry, worked out a cycle ahead: as the one there will be, and as the next one
        # will be. Which of them counts is known last, if the one there leaves; of their statuses
        # it is chosen in the cycle itself
        stays, follows, front = Signal(_Oldest), Signal(_Oldest), Signal(_Oldest)
        seen_statuses, left, status = [], Signal(), Signal(Status)
        for at, coming, there in ((head, stays, held != 0), (next_head, follows, held[1:].any())):
            seen = Signal(Status, name=f"status_{len(seen_statuses)}")
            seen_statuses.append(seen)
            status_read, answer_read = (
                statuses.read_port(domain="comb"), answers.read_port(domain="comb"))
            answered, comes = Signal(), Signal()
            m.d.comb += [
                status_read.addr.eq(at),
                answer_read.addr.eq(at),
                comes.eq(self.complete.valid & (answer.tag == at)),
                answered.eq(comes | ~waiting.bit_select(at, 1)),
            ]
            with m.If(there):
                m.d.comb += [
                    coming.passes.eq(answered & ~lasts.bit_select(at, 1)),
                    coming.ends.eq(answered & lasts.bit_select(at, 1)),
                ]
                m.d.sync += seen.eq(Mux(comes, answer.status, Mux(
                    status_read.data == Status.OK, answer_read.data, status_read.data)))
            with m.Else():
                # the entry that is free: a fault takes it and is answered
                m.d.comb += coming.ends.eq(self.offered & self.faulty)
                m.d.sync += seen.eq(self.entry.status)
        m.d.sync += [front.eq(Mux(leaves, follows, stays)), left.eq(leaves)]
        m.d.comb += status.eq(Mux(left, seen_statuses[1], seen_statuses[0]))

        # it leaves: alone, or as the end of its command
        failed = Signal()
        error_status, error_address = Signal(Status), Signal(oldest.address.shape())
        m.d.comb += [
            leaves.eq(front.passes | (front.ends & self.done.ready)),
            failed.eq(status != Status.OK),
            self.bytes.eq(Mux(leaves & ~failed, oldest.length, 0)),
            self.done.valid.eq(front.ends),
            self.done.payload.index.eq(self.ticket.payload.index),
            self.done.payload.signal.eq(self.ticket.payload.signal),
            self.done.payload.status.eq(Mux(self.failed, error_status, status)),
            self.done.payload.address.eq(Mux(self.failed, error_address, oldest.address)),
            self.ticket.ready.eq(self.done.valid & self.done.ready),
        ]
        with m.If(leaves):
            m.d.sync += [
                head.eq(next_head), next_head.eq(next_head + 1),
                self.failed.eq(~front.ends & (self.failed | failed)),
            ]
        with m.If(front.passes & ~self.failed):
            m.d.sync += [error_status.eq(status), error_address.eq(oldest.address)]
        return m
