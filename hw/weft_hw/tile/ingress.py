"""Ingress of a tile: sorts request-plane packets into engine queues, register reads and writes of
other tiles.

Latency: a data flit reaches its queue, or is asked to be written, in the cycle in which the
receiver offers it. Throughput: a flit a cycle, also from packet to packet.
"""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa import Engine
from ..memory.port import WritePort
from ..noc.packet import (
    Flit,
    Headed,
    NodeAddress,
    RequestHeader,
    RequestKind,
    ResponseHeader,
)
from ..noc.receiver import PacketReceiver
from ..noc.tile_packet import TO_TILES
from ..streams.link import link
from .remote_writer import RemoteWriter

__all__ = ["Ingress"]


class Ingress(wiring.Component):
    """Receives COMMAND and READ packets and, on a chip with more tiles than one, writes to tiles.

    It always takes what comes, sooner or later: the queues have room for all commands that the
    control node has credits for, the scratchpad lets ``remote`` write in every cycle in which the
    load engine does not write to the same bank (so after a packet of read data or a FILL, which
    both end without waiting for the request plane), and what it answers leaves by the response
    plane.

    Members
    -------
    flits : In(stream of Flit)
        The request plane.
    words_<engine> : Out(stream of flit_bytes)
        To the front ends: the index word, then the command.
    read : Out(stream of RequestHeader)
        Register reads.
    remote, signal, signal_mask, signal_taken, signal_overflow, ack, node
        Of ``RemoteWriter``; only on a chip with more tiles than one.
    """

    def __init__(self, config):
        self.config = config
        self.header = RequestHeader(address_bits=config.host.address_bits)
        self.has_remote = config.mesh.tiles > 1
        remote = {
            "remote": Out(WritePort(rows=config.tile.scratchpad_rows,
                                    row_bits=8 * config.tile.row_bytes)),
            "signal": Out(1), "signal_mask": Out(16),
            "signal_taken": In(1), "signal_overflow": In(1),
            "ack": Out(stream.Signature(Headed(ResponseHeader))),
            "node": In(NodeAddress),
        } if self.has_remote else {}
        super().__init__({
            "flits": In(stream.Signature(Flit(flit_bytes=config.flit_bytes))),
            **{f"words_{engine.name.lower()}":
               Out(stream.Signature(unsigned(8 * config.flit_bytes))) for engine in Engine},
            "read": Out(stream.Signature(self.header)),
            **remote,
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = PacketReceiver(self.header, self.config.flit_bytes)
        link(m, wiring.flipped(self.flits), receiver.i)
        header = receiver.o_header.payload.header
        engine = Signal(Engine)
        queues = [getattr(self, f"words_{engine.name.lower()}") for engine in Engine]
        word = Signal(8 * self.config.flit_bytes)
        m.d.comb += [self.read.payload.eq(header), *(queue.payload.eq(word) for queue in queues)]
        is_remote = Signal()
        if self.has_remote:
            m.submodules.writer = writer = self._writer(m, receiver)
            m.d.comb += is_remote.eq(header.destination.port.as_value() == TO_TILES)
        with m.FSM():
            with m.State("HEADER"):
                # a packet; a command's header goes ahead as the index word
                m.d.comb += word.eq(header.address[:32])
                m.d.sync += engine.eq(header.tag[:2])
                if self.has_remote:
                    with m.If(receiver.o_header.valid & is_remote):
                        m.d.comb += [writer.i_header.valid.eq(1),
                                     receiver.o_header.ready.eq(writer.i_header.ready)]
                        with m.If(writer.i_header.ready & receiver.o_header.payload.has_data):
                            m.next = "REMOTE"
                with m.If(receiver.o_header.valid & ~is_remote
                          & (header.kind == RequestKind.COMMAND)):
                    for number, queue in enumerate(queues):
                        with m.If(header.tag[:2] == number):
                            m.d.comb += [
                                queue.valid.eq(1), receiver.o_header.ready.eq(queue.ready),
                            ]
                    with m.If(receiver.o_header.ready):
                        m.next = "DATA"
                with m.Elif(receiver.o_header.valid & ~is_remote):
                    m.d.comb += [self.read.valid.eq(1), receiver.o_header.ready.eq(self.read.ready)]
            with m.State("DATA"):
                # the command's words
                m.d.comb += word.eq(receiver.o_data.payload.data)
                for number, queue in enumerate(queues):
                    with m.If(engine.as_value() == number):
                        m.d.comb += [
                            queue.valid.eq(receiver.o_data.valid),
                            receiver.o_data.ready.eq(queue.ready),
                        ]
                taken = receiver.o_data.valid & receiver.o_data.ready
                with m.If(taken & receiver.o_data.payload.last):
                    m.next = "HEADER"
            if self.has_remote:
                with m.State("REMOTE"):
                    # the rows another tile writes
                    m.d.comb += [writer.i_data.valid.eq(receiver.o_data.valid),
                                 receiver.o_data.ready.eq(writer.i_data.ready)]
                    with m.If(writer.i_data.ready & receiver.o_data.payload.last):
                        m.next = "HEADER"
        return m

    def _writer(self, m, receiver):
        """The writer, joined to the tile, and to the receiver but for the handshakes."""
        writer = RemoteWriter(self.config)
        header = receiver.o_header.payload.header.as_value()
        bits = len(writer.i_header.payload.header.as_value())
        link(m, writer.remote, wiring.flipped(self.remote))
        link(m, writer.ack, wiring.flipped(self.ack))
        m.d.comb += [
            writer.node.eq(self.node),
            self.signal.eq(writer.signal), self.signal_mask.eq(writer.signal_mask),
            writer.signal_taken.eq(self.signal_taken),
            writer.signal_overflow.eq(self.signal_overflow),
            writer.i_header.payload.header.as_value().eq(header[:bits]),
            writer.i_header.payload.has_data.eq(receiver.o_header.payload.has_data),
            writer.i_data.payload.eq(receiver.o_data.payload),
        ]
        return writer
