"""Command fetch: reads the ring in bursts ahead of the dispatcher.

::

    tail ─→ PLAN → CHECK → BOUND → ROOM ─→ burst  (4 KiB pages, the ring's end, room in the buffer)
    beat ─→ buffer ─→ beats                       (64 bytes a command, in chunks of a flit)
         └→ prefix ─→ infos                       (what the dispatcher decides on)

Latency: 4 cycles from a new tail to the burst; 1 from the last beat of a command to ``infos``.
Throughput: one burst of up to 8 commands every 4 cycles; 128 chunks may be on their way or waiting,
which covers more than 100 cycles of memory latency.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from ..axi.bursts import PAGE_BYTES, Burst, ReadBeat
from ..axi.queue import Queue
from ..config import COMMAND_BYTES
from ..isa import Status
from ..streams.link import link
from .command import PREFIX_BYTES, CommandInfo, Failure

__all__ = ["RingFetch", "chunk_bytes"]

#: Chunks on their way or waiting to be dispatched.
_BUFFER_CHUNKS = 128
#: Commands in a burst, at most.
_BURST_COMMANDS = 8


def chunk_bytes(config):
    """Bytes of a command that move in one cycle: a beat, or the whole command if that is
    smaller."""
    return min(config.flit_bytes, COMMAND_BYTES)


class RingFetch(wiring.Component):
    """Fetches commands ``head .. tail - 1`` of the ring.

    ``failure`` rises when there is something to fetch but the ring is not usable: MISALIGNED base,
    ILLEGAL_FIELD where ``log2`` is above the largest ring, RING_OVERRUN. An AXI error travels with
    its command (``CommandInfo.error``).

    A queue reset resets it, when ``quiet``: it forgets what it holds and counts from head 0 again.

    Members
    -------
    run : In(1)
        new bursts may begin
    base : In(64)
    log2 : In(32)
    tail : In(32)
    head : Out(32)
        commands received
    pending : Out(1)
        there is something to fetch
    quiet : Out(1)
        no burst is on its way
    failure : Out(Failure)
    burst : Out(stream of Burst)
    beat : In(stream of ReadBeat)
    beats : Out(stream of unsigned(8 * chunk_bytes))
    infos : Out(stream of CommandInfo)
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "run": In(1),
            "base": In(64),
            "log2": In(32),
            "tail": In(32),
            "head": Out(32),
            "pending": Out(1),
            "quiet": Out(1),
            "failure": Out(Failure),
            "burst": Out(stream.Signature(Burst(address_bits=config.host.address_bits))),
            "beat": In(stream.Signature(ReadBeat(data_bytes=config.flit_bytes), always_ready=True)),
            "beats": Out(stream.Signature(unsigned(8 * chunk_bytes(config)))),
            "infos": Out(stream.Signature(CommandInfo)),
        })

    def elaborate(self, platform):
        m = Module()
        chunk = chunk_bytes(self.config)
        m.submodules.buffer = buffer = Queue(unsigned(8 * chunk), depth=_BUFFER_CHUNKS,
                                             block_ram=True, register=True)
        m.submodules.known = known = Queue(CommandInfo,
                                           depth=_BUFFER_CHUNKS * chunk // COMMAND_BYTES)
        link(m, buffer.o, wiring.flipped(self.beats))
        link(m, known.o, wiring.flipped(self.infos))

        issue = Signal()
        address = Signal(self.config.host.address_bits)
        self._ask(m, issue, address)
        half = 0
        if self.config.flit_bytes > COMMAND_BYTES:
            # which part of a beat the command is
            m.submodules.halves = halves = Queue(unsigned(1), depth=_BUFFER_CHUNKS)
            m.d.comb += [
                halves.i.valid.eq(issue),
                halves.i.payload.eq(address[exact_log2(COMMAND_BYTES)]),
                halves.o.ready.eq(self.beat.valid),
            ]
            half = halves.o.payload
        self._collect(m, buffer, known, half)
        return m

    def _ask(self, m, issue, address):
        config = self.config
        flit_bytes = config.flit_bytes
        chunks = COMMAND_BYTES // chunk_bytes(config)
        # short bursts keep the buffer filled
        most = min(_BURST_COMMANDS, _BUFFER_CHUNKS // chunks // 8)
        if flit_bytes > COMMAND_BYTES:
            # less than a beat: each command is read by itself
            most = 1
        command_bits = exact_log2(COMMAND_BYTES)
        page_commands = PAGE_BYTES // COMMAND_BYTES
        max_log2 = exact_log2(config.host.max_ring_entries)

        issued = Signal(32)
        size = Signal(max_log2 + 1)
        offset = Signal(max_log2)
        available = Signal(32)
        span = Signal(32)
        to_end = Signal(max_log2 + 1)
        to_page = Signal(range(page_commands + 1))
        commands = Signal(range(most + 1))
        moved = Signal(range(most * chunks + 1))
        room = Signal(range(_BUFFER_CHUNKS + 1), init=_BUFFER_CHUNKS)
        on_way = Signal(range(_BUFFER_CHUNKS + 1))
        freed = Signal()
        m.d.comb += [
            self.pending.eq(self.tail != issued),
            self.quiet.eq(on_way == 0),
            freed.eq(self.beats.valid & self.beats.ready),
            to_page.eq(page_commands - address[command_bits:exact_log2(PAGE_BYTES)]),
        ]
        # one cycle behind, which CHECK is too
        m.d.sync += [
            size.eq(1 << self.log2[:ceil_log2(max_log2 + 1)]),
            offset.eq(issued & (size - 1)),
        ]

        failure = self.failure
        with m.FSM():
            # waits for the tail to move on
            with m.State("PLAN"):
                m.d.sync += [available.eq(self.tail - issued), span.eq(self.tail - self.head)]
                with m.If(self.run & self.pending & ~failure.valid):
                    m.next = "CHECK"
            # the ring must be usable; how far to its end
            with m.State("CHECK"):
                m.d.sync += [
                    to_end.eq(size - offset),
                    address.eq(self.base + (offset << command_bits)),
                    failure.by_control.eq(1),
                    failure.index.eq(self.head),
                ]
                with m.If(self.base[:command_bits].any()):
                    m.d.sync += [failure.valid.eq(1), failure.status.eq(Status.MISALIGNED)]
                    m.next = "PLAN"
                with m.Elif(self.log2 > max_log2):
                    m.d.sync += [failure.valid.eq(1), failure.status.eq(Status.ILLEGAL_FIELD)]
                    m.next = "PLAN"
                with m.Elif(span > size):
                    m.d.sync += [failure.valid.eq(1), failure.status.eq(Status.RING_OVERRUN)]
                    m.next = "PLAN"
                with m.Else():
                    m.next = "BOUND"
            # the shortest of what there is, the ring's end, the page's end and the longest burst
            with m.State("BOUND"):
                m.d.sync += commands.eq(most)
                for candidate in range(most - 1, 0, -1):
                    with m.If((available == candidate) | (to_end == candidate)
                              | (to_page == candidate)):
                        m.d.sync += commands.eq(candidate)
                m.next = "ROOM"
            # waits for room in the buffer and on the address channel
            with m.State("ROOM"):
                with m.If(~self.run):
                    m.next = "PLAN"
                with m.Elif((room >= moved) & (~self.burst.valid | self.burst.ready)):
                    m.d.comb += issue.eq(1)
                    m.next = "PLAN"

        m.d.comb += moved.eq(commands << exact_log2(chunks))
        with m.If(self.burst.ready):
            m.d.sync += self.burst.valid.eq(0)
        with m.If(issue):
            lane_bits = exact_log2(flit_bytes)
            m.d.sync += [
                self.burst.valid.eq(1),
                self.burst.payload.address.eq(address[lane_bits:] << lane_bits),
                self.burst.payload.length.eq(moved - 1),
                issued.eq(issued + commands),
            ]
        m.d.sync += [
            room.eq(room + freed - Mux(issue, moved, 0)),
            on_way.eq(on_way + Mux(issue, moved, 0) - self.beat.valid),
        ]

    def _collect(self, m, buffer, known, half):
        chunk = chunk_bytes(self.config)
        chunks = COMMAND_BYTES // chunk
        prefix_chunks = max(1, PREFIX_BYTES // chunk)

        word = self.beat.payload.data.word_select(half, 8 * chunk)
        position = Signal(range(max(chunks, 2)))
        whole = Signal()
        failed = Signal()
        prefix = Signal(8 * PREFIX_BYTES, reset_less=True)
        m.d.comb += [
            whole.eq(self.beat.valid & (position == chunks - 1)),
            buffer.i.valid.eq(self.beat.valid),
            buffer.i.payload.eq(word),
            known.i.valid.eq(whole),
            # the last chunk carries the prefix itself only where there is but one
            known.i.payload.prefix.eq(prefix if chunks > 1 else word),
            known.i.payload.error.eq(failed | self.beat.payload.error),
        ]
        with m.If(self.beat.valid):
            m.d.sync += [
                position.eq(Mux(whole, 0, position + 1)),
                failed.eq(~whole & known.i.payload.error),
            ]
            with m.Switch(position):
                for part in range(prefix_chunks):
                    with m.Case(part):
                        m.d.sync += prefix.word_select(part, 8 * min(chunk, PREFIX_BYTES)).eq(word)
        with m.If(whole):
            m.d.sync += self.head.eq(self.head + 1)
