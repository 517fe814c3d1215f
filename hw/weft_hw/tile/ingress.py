"""Command ingress of a tile: sorts request-plane packets into engine queues and register reads.

Latency: a data flit reaches its queue in the cycle in which the receiver offers it.
"""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa import Engine
from ..noc.packet import Flit, RequestHeader, RequestKind
from ..noc.receiver import PacketReceiver
from ..streams.link import link

__all__ = ["Ingress"]


class Ingress(wiring.Component):
    """Receives COMMAND and READ packets.

    Members
    -------
    flits : In(stream of Flit)
        The request plane.
    words_<engine> : Out(stream of flit_bytes)
        To the front ends: the index word, then the command.
    read : Out(stream of RequestHeader)
        Register reads.
    """

    def __init__(self, config):
        self.config = config
        self.header = RequestHeader(address_bits=config.host.address_bits)
        super().__init__({
            "flits": In(stream.Signature(Flit(flit_bytes=config.flit_bytes))),
            **{f"words_{engine.name.lower()}":
               Out(stream.Signature(unsigned(8 * config.flit_bytes))) for engine in Engine},
            "read": Out(stream.Signature(self.header)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = PacketReceiver(self.header, self.config.flit_bytes)
        link(m, wiring.flipped(self.flits), receiver.i)
        header = receiver.o_header.payload.header
        engine = Signal(Engine)
        queues = [getattr(self, f"words_{engine.name.lower()}") for engine in Engine]
        m.d.comb += self.read.payload.eq(header)
        with m.FSM():
            with m.State("HEADER"):
                # a packet; a command's header goes ahead as the index word
                with m.If(receiver.o_header.valid & (header.kind == RequestKind.COMMAND)):
                    for number, queue in enumerate(queues):
                        with m.If(header.tag[:2] == number):
                            m.d.comb += [
                                queue.valid.eq(1), queue.payload.eq(header.address[:32]),
                                receiver.o_header.ready.eq(queue.ready),
                            ]
                    m.d.sync += engine.eq(header.tag[:2])
                    with m.If(receiver.o_header.ready):
                        m.next = "DATA"
                with m.Elif(receiver.o_header.valid):
                    m.d.comb += [self.read.valid.eq(1), receiver.o_header.ready.eq(self.read.ready)]
            with m.State("DATA"):
                # the command's words
                for number, queue in enumerate(queues):
                    with m.If(engine.as_value() == number):
                        m.d.comb += [
                            queue.valid.eq(receiver.o_data.valid),
                            queue.payload.eq(receiver.o_data.payload.data),
                            receiver.o_data.ready.eq(queue.ready),
                        ]
                taken = receiver.o_data.valid & receiver.o_data.ready
                with m.If(taken & receiver.o_data.payload.last):
                    m.next = "HEADER"
        return m


