"""The store engine: scratchpad to memory and, on a chip with several tiles, to scratchpads.

```
 Transfer --> RowReader --> data FIFO ----------------> request_data (WRITE packets)
     |   `--> header FIFO ----> (data is there) ------> request
     ^------- complete <------------------------------- response_header (WRITE_ACKs)
```

Stores to tiles have a ``TileTransfer`` beside ``Transfer`` and share the rest; where both have a
packet to send, memory's goes first. On a chip with one tile they end in ILLEGAL_FIELD.

A packet's header is sent when its data will follow without a pause as far as can be told: its first
flit is there and reads are granted smoothly, or else the whole packet (or a full FIFO of it) is
there. So a scratchpad bank that is busy for long does not leave an unfinished packet in the mesh.
Reads and requests of the next command overlap the acknowledgements of the previous ones.

Latency: command taken in cycle t, first read offered in t + 5, first request header offered in t +
7 if the read was granted at once (a packet to tiles without rows: t + 5); the last WRITE_ACK of a
command taken in t, its ``done`` offered in t + 1. Throughput: a data flit a cycle; between packets
to memory one cycle, for the header, and between packets to tiles those for the header's flits.

A store to tiles, when nothing is in the way, of f flits in all (headers included) to a tile d hops
away (d = 0: itself): its last row is written in cycle w = t + 7 + f - 1 + 2 * (d + 1) (5 in place
of 7 if its first packet has no rows), ``remote_signal`` is given in w + 1 and seen in w + 2, the
acknowledgement is offered in w + 2 (w + 1 if its packet gives no signal) and takes 2 * (d + 1)
cycles and its flits less one. Tests: ``test_tile_stores``.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..axi.queue import Queue
from ..isa import StoreCommand
from ..memory.port import ReadPort
from ..noc.packet import (
    DataFlit,
    Headed,
    NodeAddress,
    RequestHeader,
    RequestKind,
    ResponseHeader,
    RouterPort,
)
from ..noc.tile_packet import Rectangle, TileWriteHeader, tile_packet_rows
from ..streams.link import link
from ..tile.engine import EnginePort
from .row_reader import FIFO_FLITS, RowReader
from .store_paths import StorePaths
from .tile_transfer import TileTransfer
from .transfer import Transfer

__all__ = ["StoreEngine"]

#: Packets whose data may be read ahead of their headers: READ_LATENCY and two register stages.
_HEADERS = 4


class _Header(data.StructLayout):
    """What the FIFO of headers keeps of a request."""

    def __init__(self, *, address_bits):
        super().__init__({
            "endpoint": unsigned(4),
            "tag": unsigned(8),
            "length": unsigned(13),
            "address": unsigned(max(address_bits, 32)),
        })


class _TileHeader(data.StructLayout):
    """The same of a packet to tiles; ``rows`` are its data flits."""

    def __init__(self, config):
        super().__init__({
            "rectangle": Rectangle,
            "tag": unsigned(8),
            "signal": unsigned(16),
            "row": unsigned(24),
            "rows": range(tile_packet_rows(config) + 1),
        })


class StoreEngine(wiring.Component):
    """Runs STORE commands, ``store_requests`` WRITEs to memory and ``TILE_REQUESTS`` packets to
    tiles in flight.

    Members
    -------
    engine : In(EnginePort)
    node : In(NodeAddress)
        of this tile, constant
    request, request_data : Out
        WRITEs: a header, then its data up to ``last``
    response_header : In(stream.Signature(Headed(ResponseHeader)), always accepted)
        WRITE_ACKs only
    read : Out(ReadPort)
        rows of the scratchpad; may be refused for any time
    busy : Out(1)
        a command was taken and is not done
    bytes : Out(13)
        bytes stored, to be added to a counter each cycle
    """

    def __init__(self, config):
        self.config = config
        address_bits, flit_bytes = config.host.address_bits, config.flit_bytes
        super().__init__({
            "engine": In(EnginePort(address_bits=address_bits)),
            "node": In(NodeAddress),
            "request": Out(stream.Signature(Headed(RequestHeader(address_bits=address_bits)))),
            "request_data": Out(stream.Signature(DataFlit(flit_bytes=flit_bytes))),
            "response_header": In(stream.Signature(Headed(ResponseHeader))),
            "read": Out(ReadPort(rows=config.tile.scratchpad_rows, row_bits=8 * flit_bytes)),
            "busy": Out(1),
            "bytes": Out(13),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        flit_bits = ceil_log2(config.flit_bytes)
        m.submodules.transfer = transfer = Transfer(config, requests=config.tile.store_requests)
        m.submodules.reader = reader = RowReader(config)
        link(m, reader.read, wiring.flipped(self.read))
        memory_shape = _Header(address_bits=config.host.address_bits)
        has_tiles = config.mesh.tiles > 1
        # ``enough``: flits that have to wait for the header to go while reads are refused
        enough = {"enough": range(FIFO_FLITS + 1)}
        if has_tiles:
            header_shape = data.StructLayout({**enough, "to_tiles": 1, "of": data.UnionLayout({
                "memory": memory_shape, "tiles": _TileHeader(config)})})
        else:
            header_shape = data.StructLayout(
                {**enough, "of": data.StructLayout({"memory": memory_shape})})
        m.submodules.headers = headers = Queue(header_shape, depth=_HEADERS, front=True)

        # an access goes to the reader and, as a header, to the FIFO
        access, tag = transfer.access.payload.access, transfer.access.payload.tag
        header_in, header_out = headers.i.payload, headers.o.payload
        m.d.comb += [
            reader.job.valid.eq(transfer.access.valid & headers.i.ready),
            reader.job.payload.row.eq(access.row),
            reader.job.payload.flits_less_one.eq(access.flits_less_one),
            reader.job.payload.tail_less_one.eq(access.length[:flit_bits] - 1),
            transfer.access.ready.eq(reader.job.ready & headers.i.ready),
            header_in.enough.eq(_enough(access.flits_less_one + 1)),
            header_in.of.memory.endpoint.eq(access.endpoint),
            header_in.of.memory.tag.eq(tag),
            header_in.of.memory.length.eq(access.length),
            header_in.of.memory.address.eq(access.address),
            headers.i.valid.eq(transfer.access.valid & reader.job.ready),
        ]

        # header, then data
        request = self.request.payload
        memory_header = header_out.of.memory
        in_data, offered, data_moves = Signal(), Signal(), Signal()
        m.d.comb += [
            reader.enough.eq(header_out.enough),
            reader.enough_after.eq(headers.following.enough),
            reader.after.eq(headers.moves),
            self.request.valid.eq(headers.o.valid & ~in_data & (reader.flows | offered)),
            request.has_data.eq(1),
            request.header.destination.y.eq(memory_header.endpoint),
            request.header.destination.port.eq(RouterPort.WEST),
            request.header.source.eq(self.node),
            request.header.kind.eq(RequestKind.WRITE),
            request.header.tag.eq(memory_header.tag),
            request.header.length.eq(memory_header.length),
            request.header.address.eq(memory_header.address),
            headers.o.ready.eq(self.request.valid & self.request.ready),
            self.request_data.valid.eq(reader.data.valid & in_data),
            self.request_data.payload.eq(reader.data.payload),
            reader.data.ready.eq(self.request_data.ready & in_data),
            data_moves.eq(self.request_data.valid & self.request_data.ready),
        ]
        m.d.sync += offered.eq(self.request.valid & ~self.request.ready)
        with m.If(self.request.valid & self.request.ready):
            m.d.sync += in_data.eq(request.has_data)
        with m.If(data_moves & self.request_data.payload.last):
            m.d.sync += in_data.eq(0)

        # acknowledgements
        answer = self.response_header.payload.header
        m.d.comb += [
            self.response_header.ready.eq(1),
            transfer.complete.valid.eq(self.response_header.valid),
            transfer.complete.payload.tag.eq(answer.tag[:len(transfer.complete.payload.tag)]),
            transfer.complete.payload.status.eq(answer.status),
        ]

        if has_tiles:
            m.submodules.tiles = tiles = TileTransfer(config)
            m.submodules.paths = paths = StorePaths(config)
            link(m, wiring.flipped(self.engine), paths.engine)
            link(m, paths.memory, transfer.engine)
            link(m, paths.tiles, tiles.engine)
            m.d.comb += [self.busy.eq(transfer.busy | tiles.busy),
                         self.bytes.eq(transfer.bytes + tiles.bytes)]
            self._send_to_tiles(m, transfer, tiles, reader, headers)
            with m.If(header_out.to_tiles):
                self._address_tiles(m, header_out.of.tiles)
            from_tile = answer.source.port == RouterPort.LOCAL
            m.d.comb += [
                tiles.ack.payload.eq(answer),
                tiles.ack.valid.eq(self.response_header.valid & from_tile),
                transfer.complete.valid.eq(self.response_header.valid & ~from_tile),
            ]
        else:
            link(m, wiring.flipped(self.engine), transfer.engine)
            m.d.comb += [self.busy.eq(transfer.busy), self.bytes.eq(transfer.bytes)]
            # there are no other tiles: no legal number of rows
            size = StoreCommand.as_shape().size
            command = data.View(StoreCommand, transfer.engine.command.payload.bits[:size])
            with m.If(data.View(StoreCommand, self.engine.command.payload.bits[:size]).to_tiles):
                m.d.comb += command.rows.eq(0)
        return m

    def _send_to_tiles(self, m, transfer, tiles, reader, headers):
        """Packets to tiles, to reader and headers in the cycles in which memory has none."""
        access, job = tiles.access.payload.access, reader.job.payload
        header_in = headers.i.payload
        header = header_in.of.tiles
        with m.If(~transfer.access.valid):
            m.d.comb += [
                reader.job.valid.eq(tiles.access.valid & headers.i.ready & (access.rows != 0)),
                job.row.eq(access.row),
                job.flits_less_one.eq(access.rows - 1),
                job.tail_less_one.eq(access.tail_less_one),
                tiles.access.ready.eq(headers.i.ready & (reader.job.ready | (access.rows == 0))),
                header_in.enough.eq(_enough(access.rows)),
                header_in.to_tiles.eq(1),
                header.rectangle.eq(access.rectangle),
                header.tag.eq(tiles.access.payload.tag),
                header.signal.eq(access.signal),
                header.row.eq(access.remote_row),
                header.rows.eq(access.rows),
                headers.i.valid.eq(tiles.access.valid & (reader.job.ready | (access.rows == 0))),
            ]

    def _address_tiles(self, m, kept):
        """The header of a packet to tiles."""
        header = Signal(TileWriteHeader)
        m.d.comb += [
            header.rectangle.eq(kept.rectangle),
            header.source_x.eq(self.node.x),
            header.source_y.eq(self.node.y),
            header.tag.eq(kept.tag),
            header.signal.eq(kept.signal),
            header.row.eq(kept.row),
            self.request.payload.header.eq(header.as_value()),
            self.request.payload.has_data.eq(kept.rows != 0),
        ]


def _enough(flits):
    """Of a packet of ``flits``: all, or what the FIFO of data holds."""
    return Mux(flits > FIFO_FLITS, FIFO_FLITS, flits)
