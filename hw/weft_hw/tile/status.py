"""Status pages of a tile: engine states, semaphores and counters.

The control node reads them as 64-byte packets. The pages are listed in ``hw/README.md``;
``page_words`` is their one definition.

A page is read a flit ahead of what the network takes, by way of a register.

Latency: 1 cycle from request to header; then a flit a cycle.
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..isa import COMMAND_BYTES, Engine, Status
from ..noc.packet import DataFlit, Headed, NodeAddress, RequestHeader, ResponseHeader, ResponseKind

__all__ = ["COUNTERS", "PAGE_BYTES", "TileStatus"]

#: Bytes of a page; one page is one packet.
PAGE_BYTES = COMMAND_BYTES

#: 64-bit event counters in page order from page 1 on: (name, width of the increment).
COUNTERS = (
    *((f"busy_{engine.name.lower()}", 1) for engine in Engine),
    *((f"wait_{engine.name.lower()}", 1) for engine in Engine),
    ("array_steps", 1), ("bytes_loaded", 13), ("bytes_stored", 13), ("rows_drained", 1),
    ("request_flits", 1), ("response_flits", 1), ("weight_stalls", 1), ("scratchpad_conflicts", 1),
)

#: Pages: the states, then the counters.
PAGES = 1 + len(COUNTERS) * 8 // PAGE_BYTES


class TileStatus(wiring.Component):
    """Answers register reads.

    Members
    -------
    read : In(stream of RequestHeader)
    header, flits : Out
        The READ_DATA packet. Pages beyond the last read as zero.
    node : In(NodeAddress)
    states, waits, indices : In
        For each engine: state, unmet wait mask, index.
    semaphores : In
    fault_status, fault_address : In
    increments : In
        For each counter, what to add in this cycle.
    """

    def __init__(self, config):
        self.config = config
        engines = len(Engine)
        self.request = RequestHeader(address_bits=config.host.address_bits)
        super().__init__({
            "read": In(stream.Signature(self.request)),
            "header": Out(stream.Signature(Headed(ResponseHeader))),
            "flits": Out(stream.Signature(DataFlit(flit_bytes=config.flit_bytes))),
            "node": In(NodeAddress),
            "states": In(data.ArrayLayout(2, engines)),
            "waits": In(data.ArrayLayout(16, engines)),
            "indices": In(data.ArrayLayout(32, engines)),
            "semaphores": In(data.ArrayLayout(8, config.tile.semaphores)),
            "fault_status": In(Status), "fault_address": In(max(32, config.host.address_bits)),
            "increments": In(data.StructLayout(dict(COUNTERS))),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        counters = []
        for name, width in COUNTERS:
            counter = Signal(64, name=name)
            increment = Signal(width, name=f"{name}_increment")
            # a register between event and adder keeps the counters off every critical path
            m.d.sync += [increment.eq(self.increments[name]), counter.eq(counter + increment)]
            counters.append(counter)

        states = [Cat(self.states[e], Const(0, 14), self.waits[e], self.indices[e])
                  for e in range(len(Engine))]
        address = Signal(64)
        m.d.comb += address.eq(self.fault_address)
        page_bits = Cat(*states, self.semaphores.as_value(), address, self.fault_status.as_value(),
                        Const(0, 60), *counters)
        flit_bits = 8 * config.flit_bytes
        flits = PAGE_BYTES // config.flit_bytes
        words = Array(page_bits[i * flit_bits:(i + 1) * flit_bits] for i in range(PAGES * flits))

        request = Signal(self.request)
        page, beyond = request.address[ceil_log2(PAGE_BYTES):], Signal()
        flit = Signal(range(flits))     # the next to be read
        word, last, reads = Signal(flit_bits), Signal(), Signal()
        m.d.comb += [
            self.header.payload.has_data.eq(1),
            self.header.payload.header.destination.eq(request.source),
            self.header.payload.header.source.eq(self.node),
            self.header.payload.header.kind.eq(ResponseKind.READ_DATA),
            self.header.payload.header.tag.eq(request.tag),
            beyond.eq(page >= PAGES),
            self.flits.payload.data.eq(word), self.flits.payload.last.eq(last),
        ]
        with m.FSM():
            with m.State("REQUEST"):
                # to be asked
                m.d.comb += self.read.ready.eq(1)
                m.d.sync += [request.eq(self.read.payload), flit.eq(0)]
                with m.If(self.read.valid):
                    m.next = "HEADER"
            with m.State("HEADER"):
                # the network to take the header
                m.d.comb += [self.header.valid.eq(1), reads.eq(self.header.ready)]
                with m.If(self.header.ready):
                    m.next = "DATA"
            with m.State("DATA"):
                # the network to take the page
                m.d.comb += [self.flits.valid.eq(1), reads.eq(self.flits.ready)]
                with m.If(self.flits.ready & last):
                    m.next = "REQUEST"
        with m.If(reads):
            m.d.sync += [
                word.eq(Mux(beyond, 0, words[Cat(flit, page)[:ceil_log2(len(words))]])),
                flit.eq(flit + 1), last.eq(flit == flits - 1),
            ]
        return m
