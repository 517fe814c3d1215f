"""The load engine: memory to scratchpad, and fills.

```
 Transfer --> request (READs)          response_header: tag -> scratchpad row (a table)
     |`-----> Filler (padding) --.     response_data: a flit is a scratchpad row
     |                           v     |
     ^------- complete <------ write <-`
```

Every request's data begins at a scratchpad row, so a data flit is written as it comes; the network
fills the last one with zeros. Responses of different endpoints may overtake each other, and fills
overtake responses: a padded row is filled as soon as its turn to be requested would come.

A row that fills and a response's flit that come in one cycle take turns, the fill first if the row
before was not one; so nobody waits for more than a row, and no cycle is lost.

Latency: command taken in cycle t, first request offered in t + 4; data flit taken in t, its row
written in t + 1; the last row of a command written in t, its ``done`` offered in t + 1. A padded
row whose request would have been accepted in t is written from t + 2 on. Throughput: a request or a
fill a cycle, a row a cycle; a header and the data of the response before it take one cycle each, as
on the link.
"""

from amaranth.hdl import Array, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..isa import Status
from ..memory.port import ReadPort, WritePort
from ..noc.packet import (
    DataFlit,
    Headed,
    NodeAddress,
    RequestHeader,
    RequestKind,
    ResponseHeader,
    RouterPort,
)
from ..streams.link import link
from ..tile.engine import EnginePort
from .fill import Filler, LocalBeat
from .transfer import Transfer
from .transpose import Transposer
from .walk import LOCAL_STRIDE_BITS

__all__ = ["LoadEngine"]


class _Place(data.StructLayout):
    """What is kept of a request: the scratchpad row where its data begins; of a row of a strip,
    what ``StripFlit`` says.
    """

    def __init__(self, config):
        fields = {"row": range(config.tile.scratchpad_rows)}
        if config.tile.transpose:
            fields |= {
                "transpose": unsigned(2),
                "strip_ends": unsigned(1),
                "column_stride": unsigned(LOCAL_STRIDE_BITS),
                "columns_less_one": range(config.transpose_columns),
            }
        super().__init__(fields)


class LoadEngine(wiring.Component):
    """Runs LOAD and, with ``tensor_loads``, GATHER and FILL commands, ``load_requests`` READs in
    flight.

    Members
    -------
    engine : In(EnginePort)
    node : In(NodeAddress)
        of this tile, constant
    request : Out(stream.Signature(RequestHeader))
        READs; no data follows
    response_header, response_data : In
        READ_DATA only; stall for nothing but the scratchpad
    write : Out(WritePort)
        rows of the scratchpad
    indices : Out(ReadPort)
        of a gather, from the scratchpad; may be refused for any time; only with ``tensor_loads``
    busy : Out(1)
        a command was taken and is not done
    bytes : Out(13)
        bytes loaded, to be added to a counter each cycle
    """

    def __init__(self, config):
        self.config = config
        address_bits, flit_bytes = config.host.address_bits, config.flit_bytes
        indices = ReadPort(rows=config.tile.scratchpad_rows, row_bits=8 * flit_bytes)
        super().__init__({
            "engine": In(EnginePort(address_bits=address_bits)),
            "node": In(NodeAddress),
            "request": Out(stream.Signature(RequestHeader(address_bits=address_bits))),
            "response_header": In(stream.Signature(Headed(ResponseHeader))),
            "response_data": In(stream.Signature(DataFlit(flit_bytes=flit_bytes))),
            "write": Out(WritePort(rows=config.tile.scratchpad_rows, row_bits=8 * flit_bytes)),
            **({"indices": Out(indices)} if config.tile.tensor_loads else {}),
            "busy": Out(1),
            "bytes": Out(13),
        })

    def elaborate(self, platform):
        m = Module()
        tile, requests = self.config.tile, self.config.tile.load_requests
        m.submodules.transfer = transfer = Transfer(self.config, requests=requests, load=True)
        link(m, wiring.flipped(self.engine), transfer.engine)
        m.d.comb += [self.busy.eq(transfer.busy), self.bytes.eq(transfer.bytes)]

        # requests; the table keeps where the data of each goes
        access, tag = transfer.access.payload.access, transfer.access.payload.tag
        place = _Place(self.config)
        m.submodules.places = places = Memory(shape=place, depth=requests, init=[])
        place_write, place_read = places.write_port(), places.read_port(domain="comb")
        request, holds = self.request.payload, Signal()
        fill = access.fill if tile.tensor_loads else Const(0)
        m.d.comb += [
            self.request.valid.eq(transfer.access.valid & ~fill & ~holds),
            transfer.access.ready.eq(self.request.ready & ~holds),
            request.destination.y.eq(access.endpoint),
            request.destination.port.eq(RouterPort.WEST),
            request.source.eq(self.node),
            request.kind.eq(RequestKind.READ),
            request.tag.eq(tag),
            request.length.eq(access.length),
            request.address.eq(access.address),
            place_write.addr.eq(tag),
            place_write.data.row.eq(access.row),
            place_write.en.eq(self.request.valid & self.request.ready),
        ]

        # s0: the response whose data comes in
        header = self.response_header.payload
        s0_valid, s0_has_data = Signal(), Signal()
        s0_tag, s0_status, s0_place = Signal(range(requests)), Signal(Status), Signal(place)
        moves, last = Signal(), Signal()
        m.d.comb += [
            self.response_header.ready.eq(~s0_valid),
            place_read.addr.eq(header.header.tag[:len(s0_tag)]),
            last.eq(self.response_data.payload.last | ~s0_has_data),
        ]
        with m.If(moves):
            m.d.sync += s0_valid.eq(~last)
        with m.If(self.response_header.valid & self.response_header.ready):
            m.d.sync += [
                s0_valid.eq(1),
                s0_has_data.eq(header.has_data),
                s0_tag.eq(header.header.tag[:len(s0_tag)]),
                s0_status.eq(header.header.status),
                s0_place.eq(place_read.data),
            ]

        # s1: the row to write; a response without data passes too, so that completions have one
        # source. What is transposed stays behind, but for completions
        s1_valid, s1_has_data, s1_last = Signal(), Signal(), Signal()
        s1_tag, s1_status = Signal.like(s0_tag), Signal(Status)
        s1_beat = Signal(self.write.request.payload.shape())
        s1_leaves, s1_free, waits = Signal(), Signal(), Signal()
        fills, filled_before = Signal(), Signal()
        # rows that are not a response's; none come without ``tensor_loads``
        local = stream.Signature(LocalBeat(self.config)).create(path=("local",))
        comes = self.response_data.valid | ~s0_has_data
        # whether s0 may move but for s1, whether it needs s1, and whether it leaves data there
        may_move, passes, writes = Const(1), Const(1), s0_has_data
        if tile.tensor_loads:
            link(m, transfer.indices, wiring.flipped(self.indices))
            filler = self._fill(m, transfer)
        if tile.transpose:
            may_move, passes, writes = self._transpose(
                m, transfer, filler, local, s0_has_data, s0_tag, s0_place, moves, last, holds,
                place_write.data)
        elif tile.tensor_loads:
            link(m, filler.beat, wiring.flipped(local))
        m.d.comb += [
            s1_free.eq(~s1_valid | s1_leaves),
            waits.eq(s0_valid & comes & may_move & passes),
            fills.eq(local.valid & ~(waits & filled_before)),
            moves.eq(s0_valid & comes & may_move & (~passes | (s1_free & ~fills))),
            local.ready.eq(s1_free & fills),
            self.response_data.ready.eq(
                s0_valid & s0_has_data & may_move & (~passes | (s1_free & ~fills))),
            s1_leaves.eq(s1_valid & (self.write.request.ready | ~s1_has_data)),
            self.write.request.valid.eq(s1_valid & s1_has_data),
            self.write.request.payload.eq(s1_beat),
            transfer.complete.valid.eq(s1_leaves & s1_last),
            transfer.complete.payload.tag.eq(s1_tag),
            transfer.complete.payload.status.eq(s1_status),
        ]
        with m.If(moves & writes):
            m.d.sync += s0_place.row.eq(s0_place.row + 1)
        with m.If(s1_leaves):
            m.d.sync += s1_valid.eq(0)
        with m.If(moves & passes):
            m.d.sync += [
                s1_valid.eq(1),
                s1_has_data.eq(writes),
                s1_last.eq(last),
                s1_tag.eq(s0_tag),
                s1_status.eq(s0_status),
                s1_beat.row.eq(s0_place.row),
                s1_beat.data.eq(self.response_data.payload.data),
                filled_before.eq(0),
            ]
        with m.If(local.valid & local.ready):
            m.d.sync += [
                s1_valid.eq(1),
                s1_has_data.eq(1),
                s1_last.eq(local.payload.last),
                s1_tag.eq(local.payload.tag),
                s1_status.eq(Status.OK),
                s1_beat.eq(local.payload.beat),
                filled_before.eq(1),
            ]
        return m

    def _fill(self, m, transfer):
        """Accesses that are no requests, to the filler."""
        m.submodules.filler = filler = Filler(self.config)
        access, flit_bits = transfer.access.payload.access, ceil_log2(self.config.flit_bytes)
        m.d.comb += [
            filler.job.valid.eq(transfer.access.valid & access.fill),
            filler.job.payload.tag.eq(transfer.access.payload.tag),
            filler.job.payload.row.eq(access.row),
            filler.job.payload.flits_less_one.eq(access.flits_less_one),
            filler.job.payload.tail_less_one.eq(access.length[:flit_bits] - 1),
            filler.job.payload.value.eq(access.value),
        ]
        with m.If(access.fill):
            m.d.comb += transfer.access.ready.eq(filler.job.ready)
        return filler

    def _transpose(self, m, transfer, filler, local, s0_has_data, s0_tag, s0_place, moves, last,
                   holds, place):
        """The way of strips: their rows to the transposer, its columns and fills to s1."""
        m.submodules.transposer = transposer = Transposer(self.config)
        access = transfer.access.payload.access
        strip, strips, ends = Signal(), Signal(range(self.config.tile.load_requests + 1)), Signal()
        m.d.comb += [
            place.transpose.eq(access.transpose),
            place.strip_ends.eq(access.strip_ends),
            place.column_stride.eq(access.column_stride),
            place.columns_less_one.eq(Array([
                0, *((access.length - 1) >> k for k in range(3))])[access.transpose]),
            strip.eq(s0_place.transpose != 0),
            # of a strip that is whole the last row's completion comes with the last column
            ends.eq(s0_place.strip_ends & transposer.whole & s0_has_data),
            transposer.i.valid.eq(strip & moves),
            transposer.i.payload.data.eq(self.response_data.payload.data),
            transposer.i.payload.missing.eq(~s0_has_data),
            transposer.i.payload.row_ends.eq(last),
            transposer.i.payload.tag.eq(s0_tag),
        ]
        for name in ("transpose", "strip_ends", "row", "columns_less_one", "column_stride"):
            m.d.comb += transposer.i.payload[name].eq(s0_place[name])

        # rows of strips are in order, because all in flight come from one endpoint
        asks, endpoint = Signal(), Signal.like(access.endpoint)
        m.d.comb += [
            asks.eq(self.request.valid & self.request.ready & (access.transpose != 0)),
            holds.eq((access.transpose != 0) & (strips != 0) & (access.endpoint != endpoint)),
        ]
        m.d.sync += strips.eq(strips + asks - (strip & moves & last))
        with m.If(asks):
            m.d.sync += endpoint.eq(access.endpoint)

        m.d.comb += [
            local.valid.eq(filler.beat.valid | transposer.beat.valid),
            local.payload.eq(
                Mux(transposer.beat.valid, transposer.beat.payload, filler.beat.payload)),
            transposer.beat.ready.eq(local.ready),
            filler.beat.ready.eq(local.ready & ~transposer.beat.valid),
        ]
        return (~strip | transposer.i.ready, ~strip | (last & ~ends), s0_has_data & ~strip)
