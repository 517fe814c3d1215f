"""AXI4 subordinate in front of the shared memory."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from ..axi.queue import Queue
from ..axi.signature import RESPONSE_OKAY, Axi4
from ..streams.slice import Slice
from .ram import READ_LATENCY, RamPort

__all__ = ["FIRST_BEAT_CYCLES", "AxiRam"]

#: From a read's address to its first beat when the memory is free.
FIRST_BEAT_CYCLES = READ_LATENCY + 3

#: Source: ARM IHI 0022, A3.4.4.
_RESPONSE_SLAVE_ERROR = 2
_BURSTS = 4
#: Read beats under way or waiting; enough for a beat a cycle.
_BEATS = READ_LATENCY + 3


class AxiRam(wiring.Component):
    """Bursts to rows: whole beats, INCR, within a page of 4 KiB (what the chip sends). Answered in
    order.

    A burst beyond the memory answers SLVERR: reads give zeros, writes change nothing.

    Latency: ``FIRST_BEAT_CYCLES`` from AR to the first beat; from the last write beat to B 3 where
    beats come with their address, 2 where they come later.
    Throughput: a beat per cycle of either kind while the memory is free; bursts of writes wait for
    each other's answer.

    Members
    -------
    axi : In(Axi4)
    ram : Out(RamPort)
    """

    def __init__(self, *, address_bits, data_bytes, rows):
        self.address_bits = address_bits
        self.data_bytes = data_bytes
        self.rows = rows
        super().__init__(
            {
                "axi": In(Axi4(address_bits=address_bits, data_bytes=data_bytes)),
                "ram": Out(RamPort(rows=rows, data_bytes=data_bytes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._reads(m)
        self._writes(m)
        return m

    def _place(self, address):
        """Row of an address, and whether it is beyond the memory."""
        row = address[exact_log2(self.data_bytes) :]
        return row[: ceil_log2(self.rows)], row >= self.rows

    def _reads(self, m):
        axi, ram = self.axi, self.ram
        m.submodules.bursts = bursts = Queue(
            data.StructLayout({"length": 8, "id": 1, "error": 1}), depth=_BURSTS, front=True
        )
        m.submodules.beats = beats = Queue(unsigned(8 * self.data_bytes), depth=_BEATS)
        row = Signal.like(ram.read.payload, reset_less=True)
        asking = Signal()  # a beat of the burst is still to be asked for
        more = Signal(8, reset_less=True)  # and how many behind it
        room = Signal(range(_BEATS + 1), init=_BEATS)
        has_room = Signal(init=1)
        asked, gone = Signal(), Signal()
        first_row, error = self._place(axi.araddr)
        m.d.comb += [
            axi.arready.eq(~asking & bursts.i.ready),
            bursts.i.valid.eq(axi.arvalid & ~asking),
            bursts.i.payload.length.eq(axi.arlen),
            bursts.i.payload.id.eq(axi.arid),
            bursts.i.payload.error.eq(error),
            ram.read.valid.eq(asking & has_room),
            ram.read.payload.eq(row),
            asked.eq(ram.read.valid & ram.read.ready),
            beats.i.payload.eq(ram.data.payload),
            beats.i.valid.eq(ram.data.valid),
        ]
        with m.If(~asking):
            m.d.sync += [row.eq(first_row), more.eq(axi.arlen)]
            with m.If(axi.arvalid & bursts.i.ready):
                m.d.sync += asking.eq(~error)
        with m.Elif(asked):
            m.d.sync += [row.eq(row + 1), more.eq(more - 1), asking.eq(more != 0)]
        with m.If(asked & ~gone):
            m.d.sync += [room.eq(room - 1), has_room.eq(room != 1)]
        with m.Elif(gone & ~asked):
            m.d.sync += [room.eq(room + 1), has_room.eq(1)]

        # a register on the way to the chip
        m.submodules.answers = answers = Slice(
            data.StructLayout({"data": 8 * self.data_bytes, "id": 1, "error": 1, "last": 1})
        )
        sent = Signal(8)  # beats of the burst in front that have gone
        burst, answer = bursts.o.payload, answers.i.payload
        answered = Signal()
        m.d.comb += [
            answer.id.eq(burst.id),
            answer.data.eq(Mux(burst.error, 0, beats.o.payload)),
            answer.error.eq(burst.error),
            answer.last.eq(sent == burst.length),
            answers.i.valid.eq(bursts.o.valid & (burst.error | beats.o.valid)),
            answered.eq(answers.i.valid & answers.i.ready),
            gone.eq(answered & ~burst.error),
            beats.o.ready.eq(gone),
            bursts.o.ready.eq(answered & answer.last),
            axi.rid.eq(answers.o.payload.id),
            axi.rdata.eq(answers.o.payload.data),
            axi.rresp.eq(Mux(answers.o.payload.error, _RESPONSE_SLAVE_ERROR, RESPONSE_OKAY)),
            axi.rlast.eq(answers.o.payload.last),
            axi.rvalid.eq(answers.o.valid),
            answers.o.ready.eq(axi.rready),
        ]
        with m.If(answered):
            m.d.sync += sent.eq(Mux(answer.last, 0, sent + 1))

    def _writes(self, m):
        axi, ram = self.axi, self.ram
        row = Signal.like(ram.read.payload, reset_less=True)
        failed = Signal()
        identity = Signal()
        # queues, so that no way leads from the memory's arbiter back to the chip within a cycle;
        # beats that come with the address wait for it
        m.submodules.addresses = addresses = Queue(
            data.StructLayout({"row": len(row), "id": 1, "error": 1}), depth=2
        )
        m.submodules.write_beats = beats = Queue(
            data.StructLayout({"data": 8 * self.data_bytes, "strobe": self.data_bytes, "last": 1}),
            depth=4,
        )
        first_row, error = self._place(axi.awaddr)
        address = addresses.o.payload
        beat = beats.o.payload
        m.d.comb += [
            axi.awready.eq(addresses.i.ready),
            addresses.i.valid.eq(axi.awvalid),
            addresses.i.payload.row.eq(first_row),
            addresses.i.payload.id.eq(axi.awid),
            addresses.i.payload.error.eq(error),
            axi.bid.eq(identity),
            axi.bresp.eq(Mux(failed, _RESPONSE_SLAVE_ERROR, RESPONSE_OKAY)),
            axi.wready.eq(beats.i.ready),
            beats.i.valid.eq(axi.wvalid),
            beats.i.payload.data.eq(axi.wdata),
            beats.i.payload.strobe.eq(axi.wstrb),
            beats.i.payload.last.eq(axi.wlast),
            ram.write.payload.row.eq(row),
            ram.write.payload.data.eq(beat.data),
            ram.write.payload.strobe.eq(beat.strobe),
        ]
        with m.FSM():
            with m.State("ADDRESS"):
                # waits for a burst's address
                m.d.comb += addresses.o.ready.eq(1)
                m.d.sync += [row.eq(address.row), failed.eq(address.error), identity.eq(address.id)]
                with m.If(addresses.o.valid):
                    m.next = "DATA"
            with m.State("DATA"):
                # passes its beats on
                m.d.comb += [
                    ram.write.valid.eq(beats.o.valid & ~failed),
                    beats.o.ready.eq(ram.write.ready | failed),
                ]
                with m.If(beats.o.valid & beats.o.ready):
                    m.d.sync += row.eq(row + 1)
                    with m.If(beat.last):
                        m.next = "RESPONSE"
            with m.State("RESPONSE"):
                # waits for the answer to be taken
                m.d.comb += axi.bvalid.eq(1)
                with m.If(axi.bready):
                    m.next = "ADDRESS"
