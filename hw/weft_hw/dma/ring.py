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


class RequestRing(wiring.Component):
    """``requests`` entries.

    Members
    -------
    room : Out(1)
        an entry is free; stays so until ``allocate``
    allocate, entry : In
        takes the free entry
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
            "allocate": In(1),
            "entry": In(Entry(address_bits=address_bits)),
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
        m.submodules.entries = entries = Memory(shape=self.entry.shape(), depth=depth, init=[])
        m.submodules.answers = answers = Memory(shape=Status, depth=depth, init=[])
        entry_write, entry_read = entries.write_port(), entries.read_port(domain="comb")
        answer_write, answer_read = answers.write_port(), answers.read_port(domain="comb")

        tail, head = Signal(tag_bits + 1), Signal(tag_bits + 1)
        waiting, sets, clears = Signal(depth), Signal(depth), Signal(depth)
        oldest = entry_read.data
        answer = self.complete.payload
        m.d.comb += [
            self.room.eq((tail ^ head) != depth),
            self.tag.eq(tail[:tag_bits]),
            entry_write.addr.eq(self.tag),
            entry_write.data.eq(self.entry),
            entry_write.en.eq(self.allocate),
            answer_write.addr.eq(answer.tag),
            answer_write.data.eq(answer.status),
            answer_write.en.eq(self.complete.valid),
            entry_read.addr.eq(head[:tag_bits]),
            answer_read.addr.eq(head[:tag_bits]),
        ]
        m.d.comb += [
            clears.eq(self.complete.valid << answer.tag),
            sets.eq((self.allocate & (self.entry.status == Status.OK)) << self.tag),
        ]
        # whether the oldest entry has been answered, and whether it ends its command: worked out a
        # cycle ahead, from its bits and the next one's, which one counts being known last
        leaves, later = Signal(), Signal(depth)
        lasts, later_lasts = Signal(depth), Signal(depth)
        next_head, next_tail = Signal.like(head), Signal.like(tail)
        passes, ends = Signal(), Signal()   # answered, and not its command's last, or the last
        newest = self.allocate << self.tag
        m.d.comb += [
            later.eq((waiting & ~clears) | sets),
            later_lasts.eq((lasts & ~newest) | Mux(self.entry.last, newest, 0)),
            next_tail.eq(tail + self.allocate),
            next_head.eq(head + 1),
        ]

        def is_answered(entry):
            return (next_tail != entry) & ~later.bit_select(entry[:tag_bits], 1)

        def is_last(entry):
            return later_lasts.bit_select(entry[:tag_bits], 1)

        answered, last = Signal(), Signal()
        m.d.comb += [
            answered.eq(Mux(leaves, is_answered(next_head), is_answered(head))),
            last.eq(Mux(leaves, is_last(next_head), is_last(head))),
        ]
        m.d.sync += [
            waiting.eq(later), lasts.eq(later_lasts), tail.eq(next_tail),
            passes.eq(answered & ~last), ends.eq(answered & last),
        ]

        # the oldest entry leaves: alone, or as the end of its command
        was_sent = Signal()
        status, failed = Signal(Status), Signal()
        error_status, error_address = Signal(Status), Signal(oldest.address.shape())
        m.d.comb += [
            was_sent.eq(oldest.status == Status.OK),
            leaves.eq(passes | (ends & self.done.ready)),
            status.eq(Mux(was_sent, answer_read.data, oldest.status)),
            failed.eq(status != Status.OK),
            self.failed.eq(error_status != Status.OK),
            self.bytes.eq(Mux(leaves & ~failed, oldest.length, 0)),
            self.done.valid.eq(ends),
            self.done.payload.index.eq(self.ticket.payload.index),
            self.done.payload.signal.eq(self.ticket.payload.signal),
            self.done.payload.status.eq(Mux(self.failed, error_status, status)),
            self.done.payload.address.eq(Mux(self.failed, error_address, oldest.address)),
            self.ticket.ready.eq(self.done.valid & self.done.ready),
        ]
        with m.If(leaves):
            m.d.sync += head.eq(next_head)
            with m.If(ends):
                m.d.sync += error_status.eq(Status.OK)
            with m.Elif(~self.failed & failed):
                m.d.sync += [error_status.eq(status), error_address.eq(oldest.address)]
        return m
