"""Memory endpoint: the node between the mesh and one AXI4 memory port.

::

    request_i → PacketReceiver → WindowCheck ─┬→ ReadPath ─→ AR, R
                      │ data                  │    │ header, data
                      └──────────────→ WritePath ─→ AW, W, B
                                              │    │ header
    response_o ← PacketSender ←───────────────┴────┘
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..axi.manager import drive_manager
from ..axi.signature import Axi4
from ..isa import Engine
from ..noc.packet import (
    Headed,
    MeshPort,
    RequestHeader,
    ResponseHeader,
    ResponseKind,
    RouterPort,
)
from ..noc.receiver import PacketReceiver
from ..noc.sender import PacketSender
from ..streams.link import link
from .read import ReadPath
from .window import Window, WindowCheck
from .write import WritePath

__all__ = ["MemoryEndpoint"]


class MemoryEndpoint(wiring.Component):
    """Carries out READ and WRITE packets on an AXI4 memory.

    Any byte address and any length from 1 to the largest packet. Every request is checked against
    the access windows before anything reaches memory. Reads are answered in order and so are
    writes; the two pass each other, so a tile that reads what it has written waits for the
    acknowledgement first. Every request gets exactly one response:

    * READ_DATA with OK and ``length`` bytes, or with a status and no data;
    * WRITE_ACK when memory has confirmed the last byte, with OK or a status. WINDOW and
      ILLEGAL_FIELD: nothing was written; BUS: memory answered with an error to a part of it.

    Latency of a read, from the request's last flit taken to the response's first: 7 cycles, the
    memory's latency and the request's other beats. Throughput: one flit per cycle on both planes
    and both AXI data channels, headers included, over memory latencies of 100 cycles too.

    Members
    -------
    mesh : Out(MeshPort)
    memory : Out(Axi4)
    y : In(4)
        row of the mesh on whose west edge this endpoint sits, static
    windows : In(ArrayLayout(Window, n))
        static while requests are in flight
    """

    def __init__(self, config):
        self.config = config
        axi = Axi4(address_bits=config.host.address_bits, data_bytes=config.flit_bytes)
        super().__init__({
            "mesh": Out(MeshPort(flit_bytes=config.flit_bytes)),
            "memory": Out(axi),
            "y": In(4),
            "windows": In(data.ArrayLayout(Window, config.host.windows)),
        })

    @property
    def shared_name(self):
        """All endpoints of a chip are one module."""
        return "memory_endpoint"

    def elaborate(self, platform):
        m = Module()
        config = self.config
        flit_bytes = config.flit_bytes
        request_header = RequestHeader(address_bits=config.host.address_bits)

        m.submodules.receiver = receiver = PacketReceiver(request_header, flit_bytes)
        m.submodules.sender = sender = PacketSender(ResponseHeader, flit_bytes)
        m.submodules.check = check = WindowCheck(config)
        m.submodules.read = read = ReadPath(config)
        m.submodules.write = write = WritePath(config)

        # requests; an endpoint sends none and is sent no responses
        link(m, wiring.flipped(self.mesh.request_i), receiver.i)
        link(m, receiver.o_header, check.i)
        link(m, receiver.o_data, write.data)
        reads = check.o.payload.reads
        m.d.comb += [
            check.windows.eq(self.windows),
            read.i.payload.eq(check.o.payload),
            read.i.valid.eq(check.o.valid & reads),
            write.i.payload.eq(check.o.payload),
            write.i.valid.eq(check.o.valid & ~reads),
            check.o.ready.eq(Mux(reads, read.i.ready, write.i.ready)),
            self.mesh.response_i.ready.eq(1),
        ]

        # memory
        drive_manager(m, self.memory, reads=read, writes=write, data_bytes=flit_bytes)

        # responses: read data and acknowledgements take turns, packet by packet
        header = Signal(Headed(ResponseHeader), reset_less=True)
        header_valid = Signal()
        header_free = Signal()
        read_turn = Signal()
        choose_read = Signal()
        answer = Mux(choose_read, read.header.payload.as_value(), write.header.payload.as_value())
        answer = data.View(read.header.payload.shape(), answer)
        m.d.comb += [
            header_free.eq(~header_valid | sender.i_header.ready),
            choose_read.eq(read.header.valid & (read_turn | ~write.header.valid)),
            read.header.ready.eq(header_free & choose_read),
            write.header.ready.eq(header_free & ~choose_read),
            sender.i_header.payload.eq(header),
            sender.i_header.valid.eq(header_valid),
        ]
        with m.If(header_free):
            m.d.sync += [
                header_valid.eq(read.header.valid | write.header.valid),
                header.has_data.eq(answer.has_data),
                header.header.destination.eq(answer.requester.node),
                header.header.source.x.eq(0),
                header.header.source.y.eq(self.y),
                header.header.source.port.eq(RouterPort.WEST),
                header.header.kind.eq(
                    Mux(choose_read, ResponseKind.READ_DATA, ResponseKind.WRITE_ACK)),
                header.header.status.eq(answer.status),
                header.header.engine.eq(Engine.LOAD),  # counts for COMPLETION only
                header.header.tag.eq(answer.requester.tag),
            ]
            with m.If(read.header.valid | write.header.valid):
                m.d.sync += read_turn.eq(~choose_read)
        link(m, read.data, sender.i_data)
        link(m, sender.o, wiring.flipped(self.mesh.response_o))
        return m
