"""AXI4 subordinate in front of the shared memory."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from ..axi.queue import Queue
from ..axi.signature import RESPONSE_OKAY, Axi4
from ..streams.link import link
from .ram import READ_LATENCY, RamPort

__all__ = ["FIRST_BEAT_CYCLES", "AxiRam"]

#: From a read's address to its first beat when the memory is free.
FIRST_BEAT_CYCLES = READ_LATENCY + 2

#: Source: ARM IHI 0022, A3.4.4.
_RESPONSE_SLAVE_ERROR = 2
_BURSTS = 4
#: Read beats under way or waiting; enough for a beat a cycle.
_BEATS = READ_LATENCY + 3


class AxiRam(wiring.Component):
    """Bursts to rows: whole beats, INCR, within a page of 4 KiB (what the chip sends). Answered in
    order.

    A burst beyond the memory answers SLVERR: reads give zeros, writes change nothing.

    Latency: ``FIRST_BEAT_CYCLES`` from AR to the first beat, 2 from the last write beat to B.
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
            data.StructLayout({"length": 8, "id": 1, "error": 1}), depth=_BURSTS
        )
        m.submodules.beats = beats = Queue(unsigned(8 * self.data_bytes), depth=_BEATS)
        row = Signal.like(ram.read.payload, reset_less=True)
        left = Signal(9)  # beats of the burst still to be asked for
        room = Signal(range(_BEATS + 1), init=_BEATS)
        asked, gone = Signal(), Signal()
        first_row, error = self._place(axi.araddr)
        m.d.comb += [
            axi.arready.eq((left == 0) & bursts.i.ready),
            bursts.i.valid.eq(axi.arvalid & (left == 0)),
            bursts.i.payload.length.eq(axi.arlen),
            bursts.i.payload.id.eq(axi.arid),
            bursts.i.payload.error.eq(error),
            ram.read.valid.eq((left != 0) & (room != 0)),
            ram.read.payload.eq(row),
            asked.eq(ram.read.valid & ram.read.ready),
            beats.i.payload.eq(ram.data.payload),
            beats.i.valid.eq(ram.data.valid),
        ]
        with m.If(axi.arvalid & axi.arready):
            m.d.sync += [row.eq(first_row), left.eq(Mux(error, 0, axi.arlen + 1))]
        with m.Elif(asked):
            m.d.sync += [row.eq(row + 1), left.eq(left - 1)]
        with m.If(asked != gone):
            m.d.sync += room.eq(Mux(asked, room - 1, room + 1))

        sent = Signal(8)  # beats of the burst in front that have gone
        burst = bursts.o.payload
        m.d.comb += [
            axi.rid.eq(burst.id),
            axi.rdata.eq(Mux(burst.error, 0, beats.o.payload)),
            axi.rresp.eq(Mux(burst.error, _RESPONSE_SLAVE_ERROR, RESPONSE_OKAY)),
            axi.rlast.eq(sent == burst.length),
            axi.rvalid.eq(bursts.o.valid & (burst.error | beats.o.valid)),
            gone.eq(axi.rvalid & axi.rready & ~burst.error),
            beats.o.ready.eq(gone),
            bursts.o.ready.eq(axi.rvalid & axi.rready & axi.rlast),
        ]
        with m.If(axi.rvalid & axi.rready):
            m.d.sync += sent.eq(Mux(axi.rlast, 0, sent + 1))

    def _writes(self, m):
        axi, ram = self.axi, self.ram
        row = Signal.like(ram.read.payload, reset_less=True)
        failed = Signal()
        identity = Signal()
        # ends the way from the memory's arbiter back to the chip within a cycle
        m.submodules.write_beats = beats = Queue(ram.write.payload.shape(), depth=2)
        m.d.comb += [
            axi.bid.eq(identity),
            axi.bresp.eq(Mux(failed, _RESPONSE_SLAVE_ERROR, RESPONSE_OKAY)),
            beats.i.payload.row.eq(row),
            beats.i.payload.data.eq(axi.wdata),
            beats.i.payload.strobe.eq(axi.wstrb),
        ]
        link(m, beats.o, wiring.flipped(ram.write))
        with m.FSM():
            with m.State("ADDRESS"):
                # waits for a burst's address
                m.d.comb += axi.awready.eq(1)
                first_row, error = self._place(axi.awaddr)
                m.d.sync += [row.eq(first_row), failed.eq(error), identity.eq(axi.awid)]
                with m.If(axi.awvalid):
                    m.next = "DATA"
            with m.State("DATA"):
                # passes its beats on
                m.d.comb += [
                    beats.i.valid.eq(axi.wvalid & ~failed),
                    axi.wready.eq(beats.i.ready | failed),
                ]
                with m.If(axi.wvalid & axi.wready):
                    m.d.sync += row.eq(row + 1)
                    with m.If(axi.wlast):
                        m.next = "RESPONSE"
            with m.State("RESPONSE"):
                # waits for the last beat to be written, and the answer to be taken
                m.d.comb += axi.bvalid.eq(~beats.o.valid)
                with m.If(axi.bvalid & axi.bready):
                    m.next = "ADDRESS"
