"""Writes what other tiles send into the scratchpad, gives their semaphores, acknowledges.

```
 i_header, i_data --> remote (scratchpad) --> s1: signal, then ack
```

Latency: a row is asked to be written in the cycle in which its flit is offered; last row written in
cycle t, ``signal`` in t + 1, ``ack`` offered in t + 2, or in t + 1 if there is nothing to signal
(for a packet without rows t is the cycle of its header). Throughput: a flit a cycle, also from
packet to packet; a packet cannot end before the one before it is acknowledged.
"""

from amaranth.hdl import Assert, Module, Mux, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa import Status
from ..memory.port import WritePort
from ..noc.packet import (
    DataFlit,
    Headed,
    NodeAddress,
    ResponseHeader,
    ResponseKind,
    RouterPort,
)
from ..noc.tile_packet import TileWriteHeader

__all__ = ["RemoteWriter"]


class RemoteWriter(wiring.Component):
    """Runs packets to tiles, one after the other.

    Members
    -------
    i_header : In(stream of Headed(TileWriteHeader)), i_data : In(stream of DataFlit)
    remote : Out(WritePort)
        rows that lie in the scratchpad: the sender has seen to it
    signal : Out(1), signal_mask : Out(16)
        to ``Semaphores``, held until ``signal_taken``
    signal_taken, signal_overflow : In(1)
    ack : Out(stream of Headed(ResponseHeader))
        WRITE_ACK to the sender: OK or SEMAPHORE_OVERFLOW
    node : In(NodeAddress)
        of this tile
    """

    def __init__(self, config):
        self.config = config
        flit_bytes, rows = config.flit_bytes, config.tile.scratchpad_rows
        super().__init__({
            "i_header": In(stream.Signature(Headed(TileWriteHeader))),
            "i_data": In(stream.Signature(DataFlit(flit_bytes=flit_bytes))),
            "remote": Out(WritePort(rows=rows, row_bits=8 * flit_bytes)),
            "signal": Out(1), "signal_mask": Out(16),
            "signal_taken": In(1), "signal_overflow": In(1),
            "ack": Out(stream.Signature(Headed(ResponseHeader))),
            "node": In(NodeAddress),
        })

    def elaborate(self, platform):
        m = Module()
        i_header, write = self.i_header.payload.header, self.remote.request
        header = Signal(TileWriteHeader)     # of the packet whose rows come
        row = Signal.like(header.row)
        s1_header = Signal(TileWriteHeader)
        s1_valid, s1_signals, s1_status = Signal(), Signal(), Signal(Status)
        free, ends = Signal(), Signal()
        ended = Signal(TileWriteHeader)
        in_data = Signal()

        # rows; the last one only when the acknowledgement has a place
        m.d.comb += [
            free.eq(~s1_valid | (self.ack.valid & self.ack.ready)),
            write.payload.row.eq(row[:len(write.payload.row)]),
            write.payload.data.eq(self.i_data.payload.data),
        ]
        with m.If(in_data):
            m.d.comb += [
                write.valid.eq(self.i_data.valid & (free | ~self.i_data.payload.last)),
                self.i_data.ready.eq(write.valid & write.ready),
                ends.eq(self.i_data.ready & self.i_data.payload.last),
                ended.eq(header),
            ]
            with m.If(self.i_data.ready):
                m.d.sync += row.eq(row + 1)
            with m.If(ends):
                m.d.sync += in_data.eq(0)
        with m.Else():
            m.d.comb += [
                self.i_header.ready.eq(self.i_header.payload.has_data | free),
                ends.eq(self.i_header.valid & free & ~self.i_header.payload.has_data),
                ended.eq(i_header),
            ]
            with m.If(self.i_header.valid & self.i_header.payload.has_data):
                m.d.sync += [in_data.eq(1), header.eq(i_header), row.eq(i_header.row)]
        m.d.sync += Assert(ResetSignal() | ~write.valid | (row < self.config.tile.scratchpad_rows),
                           "a row that another tile writes must lie in the scratchpad")

        # s1: the signal, then the acknowledgement
        ack = self.ack.payload.header
        m.d.comb += [
            self.signal.eq(s1_valid & s1_signals),
            self.signal_mask.eq(s1_header.signal),
            self.ack.valid.eq(s1_valid & ~s1_signals),
            ack.destination.x.eq(s1_header.source_x),
            ack.destination.y.eq(s1_header.source_y),
            ack.destination.port.eq(RouterPort.LOCAL),
            ack.source.eq(self.node),
            ack.kind.eq(ResponseKind.WRITE_ACK),
            ack.status.eq(s1_status),
            ack.tag.eq(s1_header.tag),
        ]
        with m.If(self.signal & self.signal_taken):
            m.d.sync += [
                s1_signals.eq(0),
                s1_status.eq(Mux(self.signal_overflow, Status.SEMAPHORE_OVERFLOW, Status.OK)),
            ]
        with m.If(free):
            m.d.sync += s1_valid.eq(ends)
        with m.If(ends):
            m.d.sync += [s1_header.eq(ended), s1_signals.eq(ended.signal != 0),
                         s1_status.eq(Status.OK)]
        return m
