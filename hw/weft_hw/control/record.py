"""Completion records: what a fence leaves in host memory."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..axi.bursts import Burst, WriteBeat
from ..axi.queue import Queue
from ..isa import CompletionRecord, Status
from .command import Failure

__all__ = ["RECORD_BYTES", "Fence", "RecordWriter"]

#: Bytes of a completion record.
RECORD_BYTES = CompletionRecord.as_shape().size // 8
#: Fences whose record is not confirmed yet.
_RECORDS = 4
#: The completion base is a multiple of this.
_BASE_BYTES = 64


class Fence(data.Struct):
    """A fence whose earlier commands have all ended, in cycle ``cycle``."""

    sequence: unsigned(32)
    index: unsigned(32)
    interrupt: unsigned(1)
    cycle: unsigned(64)


class _Owed(data.Struct):
    """A record whose write response is owed."""

    sequence: unsigned(32)
    index: unsigned(32)
    interrupt: unsigned(1)


class RecordWriter(wiring.Component):
    """Writes a ``CompletionRecord`` for each fence at ``base + 32 * (sequence mod 2**log2)``, in
    order.

    Latency: 2 cycles from ``i`` to ``burst``; 1 from ``response`` to ``sequence``.  Throughput:
    records overlap; one per 32 / flit_bytes + 2 cycles.

    Members
    -------
    base : In(64)
    log2 : In(32)
    fault : Out(Status)
        why records cannot be written: MISALIGNED base, ILLEGAL_FIELD where ``log2`` is above the
        largest ring; OK if they can
    i : In(stream of Fence)
    burst : Out(stream of Burst)
    beat : Out(stream of WriteBeat)
    response : In(stream of unsigned(1))
        always ready; 1 is an error
    sequence : Out(32)
        of the last record confirmed
    confirmed : Out(1)
        a response came in the cycle before
    interrupt : Out(1)
        with ``confirmed``: a record was written whose fence asked for the interrupt
    failure : Out(Failure)
        with ``confirmed``: FETCH_BUS if memory answered with an error
    quiet : Out(1)
        no record is waiting or unconfirmed
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "base": In(64),
            "log2": In(32),
            "fault": Out(Status),
            "i": In(stream.Signature(Fence)),
            "burst": Out(stream.Signature(Burst(address_bits=config.host.address_bits))),
            "beat": Out(stream.Signature(WriteBeat(data_bytes=config.flit_bytes))),
            "response": In(stream.Signature(unsigned(1), always_ready=True)),
            "sequence": Out(32),
            "confirmed": Out(1),
            "interrupt": Out(1),
            "failure": Out(Failure),
            "quiet": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        flit_bytes = self.config.flit_bytes
        lane_bits = exact_log2(flit_bytes)
        max_log2 = exact_log2(self.config.host.max_ring_entries)
        beats = max(1, RECORD_BYTES // flit_bytes)
        m.submodules.owed = owed = Queue(_Owed, depth=_RECORDS)

        with m.If(self.base[:exact_log2(_BASE_BYTES)].any()):
            m.d.comb += self.fault.eq(Status.MISALIGNED)
        with m.Elif(self.log2 > max_log2):
            m.d.comb += self.fault.eq(Status.ILLEGAL_FIELD)

        # write: one record at a time
        record = Signal(CompletionRecord, reset_less=True)
        address = Signal(self.config.host.address_bits, reset_less=True)
        busy = Signal()
        asked = Signal()
        sent = Signal()
        position = Signal(range(max(beats, 2)))
        fence = self.i.payload
        slot = fence.sequence & ((1 << self.log2[:(max_log2).bit_length()]) - 1)
        last = position == beats - 1
        m.d.comb += [
            self.i.ready.eq(~busy & owed.i.ready),
            owed.i.valid.eq(self.i.valid & ~busy),
            owed.i.payload.sequence.eq(fence.sequence),
            owed.i.payload.index.eq(fence.index),
            owed.i.payload.interrupt.eq(fence.interrupt),
            self.burst.valid.eq(busy & ~asked),
            self.burst.payload.address.eq(address[lane_bits:] << lane_bits),
            self.burst.payload.length.eq(beats - 1),
            self.beat.valid.eq(busy & ~sent),
            self.beat.payload.last.eq(last),
        ]
        bits = record.as_value()
        if flit_bytes <= RECORD_BYTES:
            m.d.comb += [
                self.beat.payload.data.eq(bits.word_select(position, 8 * flit_bytes)),
                self.beat.payload.strobe.eq(~0),
            ]
        else:
            # a record is part of a beat
            parts = flit_bytes // RECORD_BYTES
            part = address[exact_log2(RECORD_BYTES):lane_bits]
            m.d.comb += [
                self.beat.payload.data.eq(bits.replicate(parts)),
                self.beat.payload.strobe.eq(
                    Cat((part == i).replicate(RECORD_BYTES) for i in range(parts))),
            ]
        with m.If(~busy):
            m.d.sync += [
                record.sequence.eq(fence.sequence),
                record.status.eq(Status.OK),
                record.index.eq(fence.index),
                record.cycle.eq(fence.cycle),
                record.reserved.eq(0),
                record.reserved_high.eq(0),
                address.eq(self.base + slot * RECORD_BYTES),
                busy.eq(self.i.valid & owed.i.ready),
            ]
        with m.Else():
            asks = asked | self.burst.ready
            sends = sent | self.beat.ready & last
            m.d.sync += [asked.eq(asks), sent.eq(sends)]
            with m.If(~sent & self.beat.ready):
                m.d.sync += position.eq(position + 1)
            with m.If(asks & sends):
                m.d.sync += [busy.eq(0), asked.eq(0), sent.eq(0), position.eq(0)]

        # confirm
        confirmed = owed.o.payload
        error = self.response.payload
        m.d.comb += [
            owed.o.ready.eq(self.response.valid),
            self.quiet.eq(~owed.o.valid & ~self.confirmed),
        ]
        m.d.sync += [
            self.confirmed.eq(self.response.valid),
            self.interrupt.eq(self.response.valid & ~error & confirmed.interrupt),
            self.failure.valid.eq(self.response.valid & error),
            self.failure.status.eq(Status.FETCH_BUS),
            self.failure.index.eq(confirmed.index),
            self.failure.by_control.eq(1),
        ]
        with m.If(self.response.valid & ~error):
            m.d.sync += self.sequence.eq(confirmed.sequence)
        return m
