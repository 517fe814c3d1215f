"""The read path of an endpoint: requests to read bursts, beats to the data of response packets.

::

    i ─┬→ spans ─┬→ BurstSplitter → burst  (when the buffer has room for every beat)
       │         └→ expected ──┐
       │   beat → buffer ──────┴───────→ Realigner → data
       │             └→ arrived ─┐          ↑ how
       └→ pending ───────────────┴→ header ─┘

A read that waits for room waits in ``spans``, out of the way of the writes behind it.

The header of a response goes out when the last beat of its request has arrived. So an AXI error in
any beat makes a packet with a status and no data, and a packet once begun never waits for memory
inside the network. The price is the time of the request's other beats, once: requests behind it
overlap.
"""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..axi.bursts import Burst, BurstSplitter, ReadBeat, Span
from ..axi.queue import Queue
from ..isa import Status
from ..noc.packet import DataFlit
from ..streams.link import link
from .access import Access, Answer, Requester
from .realign import Realigner, Realignment

__all__ = ["READS", "ReadPath", "read_buffer_beats"]

#: Read requests in flight.
READS = 64


def read_buffer_beats(config):
    """Beats that may be in flight or buffered: enough for one beat a cycle over more than 100
    cycles of memory latency with the largest packets, of which three are in the buffer or reserved
    beside those on their way."""
    packet_beats = config.mesh.max_packet_bytes // config.flit_bytes
    return max(256, 1 << ceil_log2(8 * packet_beats))


class _Pending(data.StructLayout):
    """A request whose response is owed."""

    def __init__(self, *, data_bytes):
        super().__init__({"requester": Requester, "status": Status,
                          "how": Realignment(data_bytes=data_bytes)})


class ReadPath(wiring.Component):
    """Answers reads in order.

    Latency: 7 cycles from ``i`` to ``header`` beside the memory's, and the request's other beats.
    Throughput: one flit per cycle but for one cycle between packets, in which the sender sends the
    header.

    Members
    -------
    i : In(stream of Access)
    burst : Out(stream of Burst)
    beat : In(stream of ReadBeat)
        always ready: room is reserved before the burst is asked for
    header : Out(stream of Answer)
    data : Out(stream of DataFlit)
    """

    def __init__(self, config):
        self.config = config
        flit_bytes = config.flit_bytes
        address_bits = config.host.address_bits
        super().__init__({
            "i": In(stream.Signature(Access(address_bits=address_bits, data_bytes=flit_bytes))),
            "burst": Out(stream.Signature(Burst(address_bits=address_bits))),
            "beat": In(stream.Signature(ReadBeat(data_bytes=flit_bytes), always_ready=True)),
            "header": Out(stream.Signature(Answer)),
            "data": Out(stream.Signature(DataFlit(flit_bytes=flit_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        flit_bytes = self.config.flit_bytes
        sizes = {"address_bits": self.config.host.address_bits, "data_bytes": flit_bytes}
        buffer_beats = read_buffer_beats(self.config)

        m.submodules.splitter = splitter = BurstSplitter(**sizes)
        m.submodules.spans = spans = Queue(Span(**sizes), depth=READS, front=True)
        m.submodules.expected = expected = Queue(unsigned(8), depth=READS, front=True)
        m.submodules.pending = pending = Queue(_Pending(data_bytes=flit_bytes), depth=READS,
                                               front=True)
        m.submodules.arrived = arrived = Queue(unsigned(1), depth=READS, front=True)
        m.submodules.buffer = buffer = Queue(DataFlit(flit_bytes=flit_bytes), depth=buffer_beats,
                                             block_ram=True, register=True)
        m.submodules.how = how = Queue(Realignment(data_bytes=flit_bytes), depth=2,
                                       front=True)
        m.submodules.answers = answers = Queue(Answer, depth=2)
        m.submodules.realigner = realigner = Realigner(data_bytes=flit_bytes)
        link(m, splitter.o, wiring.flipped(self.burst))
        link(m, buffer.o, realigner.i)
        link(m, how.o, realigner.how)
        link(m, answers.o, wiring.flipped(self.header))

        # note what is owed
        access = self.i.payload
        noted = Signal()
        m.d.comb += [
            noted.eq(self.i.valid & self.i.ready),
            self.i.ready.eq(pending.i.ready & spans.i.ready),
            spans.i.valid.eq(noted & ~access.how.drop),
            spans.i.payload.eq(access.span),
            pending.i.valid.eq(noted),
            pending.i.payload.requester.eq(access.requester),
            pending.i.payload.status.eq(access.status),
            pending.i.payload.how.eq(access.how),
        ]

        # ask: reserve room for every beat
        span = spans.o.payload
        room = Signal(range(buffer_beats + 1), init=buffer_beats)
        fetch = Signal()
        freed = Signal()
        m.d.comb += [
            fetch.eq(spans.o.valid & splitter.i.ready & expected.i.ready & (room > span.more)),
            spans.o.ready.eq(fetch),
            splitter.i.valid.eq(fetch),
            splitter.i.payload.eq(span),
            expected.i.valid.eq(fetch),
            expected.i.payload.eq(span.more),
            freed.eq(buffer.o.valid & buffer.o.ready),
        ]
        with m.If(fetch):
            m.d.sync += room.eq(room + freed - span.more - 1)
        with m.Elif(freed):
            m.d.sync += room.eq(room + 1)

        # collect: beats in order, the error of any of them
        received = Signal(8)
        failed = Signal()
        complete = Signal()
        m.d.comb += [
            complete.eq(self.beat.valid & (received == expected.o.payload)),
            buffer.i.valid.eq(self.beat.valid),
            buffer.i.payload.data.eq(self.beat.payload.data),
            buffer.i.payload.last.eq(complete),
            expected.o.ready.eq(complete),
            arrived.i.valid.eq(complete),
            arrived.i.payload.eq(failed | self.beat.payload.error),
        ]
        with m.If(complete):
            m.d.sync += [received.eq(0), failed.eq(0)]
        with m.Elif(self.beat.valid):
            m.d.sync += [received.eq(received + 1), failed.eq(failed | self.beat.payload.error)]

        # answer
        owed = pending.o.payload
        denied = owed.how.drop
        error = arrived.o.payload
        due = Signal()
        status = Signal(Status)
        m.d.comb += [
            due.eq(pending.o.valid & answers.i.ready & (denied | arrived.o.valid & how.i.ready)),
            pending.o.ready.eq(due),
            arrived.o.ready.eq(due & ~denied),
            answers.i.valid.eq(due),
            answers.i.payload.requester.eq(owed.requester),
            status.eq(owed.status),
            answers.i.payload.status.eq(status),
            answers.i.payload.has_data.eq(~denied & ~error),
            how.i.valid.eq(due & ~denied),
            how.i.payload.eq(owed.how),
            how.i.payload.drop.eq(error),
        ]
        with m.If(~denied & error):
            m.d.comb += status.eq(Status.BUS)

        word = realigner.o.payload
        m.d.comb += [
            self.data.valid.eq(realigner.o.valid & ~word.dropped),
            self.data.payload.last.eq(word.last),
            realigner.o.ready.eq(self.data.ready | word.dropped),
        ]
        for lane in range(flit_bytes):
            m.d.comb += self.data.payload.data.word_select(lane, 8).eq(
                word.data.word_select(lane, 8) & word.lanes[lane].replicate(8))
        return m
