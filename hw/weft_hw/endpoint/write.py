"""The write path of an endpoint: requests and their data to write bursts, write responses to
acknowledgements.

::

    i ─┬→ BurstSplitter → burst
       ├→ how ────────────┐
    data → buffer → Realigner → beat
       └→ moving ─────────────────┴→ unconfirmed ─┐
                           response ──────────────┴→ header

Data of a denied write passes through the buffer like any other and is dropped behind it, so nothing
behind waits for the verdict.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..axi.bursts import PAGE_BYTES, Burst, BurstSplitter, WriteBeat
from ..axi.queue import Queue
from ..isa import Status
from ..noc.packet import DataFlit
from ..streams.link import link
from .access import Access, Answer, Requester
from .realign import Realigner, Realignment

__all__ = ["WRITES", "WritePath", "write_buffer_flits"]

#: Writes whose data has gone and whose response is owed.
WRITES = 32


def write_buffer_flits(config):
    """Flits of write data buffered: two of the largest packets, so that a request behind a write
    rarely waits for it."""
    return max(16, 2 * config.mesh.max_packet_bytes // config.flit_bytes)


class _Moving(data.StructLayout):
    """A write whose data is on its way: the number of its first beat in the page, whether it takes
    two bursts, whether it has data at all."""

    def __init__(self, *, page_beats):
        super().__init__({"requester": Requester, "status": Status,
                          "in_page": unsigned(exact_log2(page_beats)), "crosses": unsigned(1),
                          "has_data": unsigned(1)})


class _Unconfirmed(data.Struct):
    """A write whose data has gone."""

    requester: Requester
    status: Status
    crosses: unsigned(1)


class WritePath(wiring.Component):
    """Carries out and acknowledges writes in order.

    Latency: 1 cycle from ``i`` to ``burst``; 2 from the last response to ``header``.  Throughput:
    one flit per cycle; one more cycle for a write that takes one more beat than its data has flits.

    Members
    -------
    i : In(stream of Access)
    data : In(stream of DataFlit)
        data of the writes in order; may run ahead of ``i``
    burst : Out(stream of Burst)
    beat : Out(stream of WriteBeat)
    response : In(stream of unsigned(1))
        one for each burst; 1 is an error
    header : Out(stream of Answer)
    """

    def __init__(self, config):
        self.config = config
        flit_bytes = config.flit_bytes
        address_bits = config.host.address_bits
        super().__init__({
            "i": In(stream.Signature(Access(address_bits=address_bits, data_bytes=flit_bytes))),
            "data": In(stream.Signature(DataFlit(flit_bytes=flit_bytes))),
            "burst": Out(stream.Signature(Burst(address_bits=address_bits))),
            "beat": Out(stream.Signature(WriteBeat(data_bytes=flit_bytes))),
            "response": In(stream.Signature(unsigned(1))),
            "header": Out(stream.Signature(Answer)),
        })

    def elaborate(self, platform):
        m = Module()
        flit_bytes = self.config.flit_bytes
        sizes = {"address_bits": self.config.host.address_bits, "data_bytes": flit_bytes}
        page_beats = PAGE_BYTES // flit_bytes

        m.submodules.splitter = splitter = BurstSplitter(**sizes)
        m.submodules.buffer = buffer = Queue(DataFlit(flit_bytes=flit_bytes),
                                             depth=write_buffer_flits(self.config),
                                             block_ram=True, register=True)
        m.submodules.how = how = Queue(Realignment(data_bytes=flit_bytes), depth=4,
                                       front=True)
        m.submodules.moving = moving = Queue(_Moving(page_beats=page_beats), depth=4,
                                             front=True)
        m.submodules.unconfirmed = unconfirmed = Queue(_Unconfirmed, depth=WRITES, front=True)
        m.submodules.answers = answers = Queue(Answer, depth=2)
        m.submodules.realigner = realigner = Realigner(data_bytes=flit_bytes)
        link(m, wiring.flipped(self.data), buffer.i)
        link(m, splitter.o, wiring.flipped(self.burst))
        link(m, buffer.o, realigner.i)
        link(m, how.o, realigner.how)
        link(m, answers.o, wiring.flipped(self.header))

        # begin: ask for the bursts and let the data flow
        access = self.i.payload
        allowed = Signal()
        begin = Signal()
        m.d.comb += [
            allowed.eq(moving.i.ready & (how.i.ready | ~access.has_data)
                       & (splitter.i.ready | access.how.drop)),
            begin.eq(self.i.valid & allowed),
            self.i.ready.eq(allowed),
            splitter.i.valid.eq(begin & ~access.how.drop),
            splitter.i.payload.eq(access.span),
            how.i.valid.eq(begin & access.has_data),
            how.i.payload.eq(access.how),
            moving.i.valid.eq(begin),
            moving.i.payload.requester.eq(access.requester),
            moving.i.payload.status.eq(access.status),
            moving.i.payload.in_page.eq(access.span.first),
            moving.i.payload.crosses.eq(access.span.crosses),
            moving.i.payload.has_data.eq(access.has_data),
        ]

        # move: beats to memory, ``last`` at the end of the page and of the data
        word = realigner.o.payload
        mover = moving.o.payload
        begun = Signal()
        next_in_page = Signal(exact_log2(page_beats), reset_less=True)
        in_page = Signal(exact_log2(page_beats))
        held = Signal()
        gone = Signal()
        moved = Signal()
        m.d.comb += [
            in_page.eq(Mux(begun, next_in_page, mover.in_page)),
            # a write without data passes first; the last word waits until its end can be noted
            held.eq(~mover.has_data | word.last & ~unconfirmed.i.ready),
            self.beat.valid.eq(realigner.o.valid & ~word.dropped & ~held),
            self.beat.payload.data.eq(word.data),
            self.beat.payload.strobe.eq(word.lanes),
            self.beat.payload.last.eq(word.last | in_page.all()),
            realigner.o.ready.eq((self.beat.ready | word.dropped) & ~held),
            moved.eq(realigner.o.valid & realigner.o.ready),
            gone.eq(Mux(mover.has_data, moved & word.last, moving.o.valid & unconfirmed.i.ready)),
            moving.o.ready.eq(gone),
            unconfirmed.i.valid.eq(gone),
            unconfirmed.i.payload.requester.eq(mover.requester),
            unconfirmed.i.payload.status.eq(mover.status),
            unconfirmed.i.payload.crosses.eq(mover.crosses),
        ]
        with m.If(moved):
            m.d.sync += [begun.eq(~word.last), next_in_page.eq(in_page + 1)]

        # confirm: one response for each burst
        owed = unconfirmed.o.payload
        denied = owed.status != Status.OK
        second = Signal()
        failed = Signal()
        final = Signal()
        done = Signal()
        status = Signal(Status)
        error = failed | self.response.payload
        m.d.comb += [
            final.eq(second | ~owed.crosses),
            self.response.ready.eq(unconfirmed.o.valid & ~denied & (answers.i.ready | ~final)),
            done.eq(unconfirmed.o.valid & answers.i.ready & (denied | self.response.valid & final)),
            unconfirmed.o.ready.eq(done),
            answers.i.valid.eq(done),
            answers.i.payload.requester.eq(owed.requester),
            status.eq(owed.status),
            answers.i.payload.status.eq(status),
        ]
        with m.If(~denied & error):
            m.d.comb += status.eq(Status.BUS)
        with m.If(done):
            m.d.sync += [second.eq(0), failed.eq(0)]
        with m.Elif(self.response.valid & self.response.ready):
            m.d.sync += [second.eq(1), failed.eq(error)]
        return m
