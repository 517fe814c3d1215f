"""Stores to tiles: commands in, packets out, ``Done`` in order when all tiles have acknowledged.

```
 engine.command -> InFlight -> TileWalk --> access (a packet, with its tag)
                      ^  `-> engine.done
                      `--- complete <- count of acknowledgements <- ack
```

A command is done when all its packets have been acknowledged by all their tiles.

Latency: command taken in cycle t, first access offered in t + 4; the last ``ack`` of a command in
t, its ``done`` offered in t + 1. Throughput: an access a cycle.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..isa import Status
from ..noc.packet import ResponseHeader
from ..streams.link import link
from ..tile.engine import EnginePort
from .in_flight import InFlight
from .tile_walk import TileAccess, TileWalk

__all__ = ["TILE_REQUESTS", "TaggedTileAccess", "TileTransfer"]

#: Packets that a tile may have sent to others and not had acknowledged by all: about what the
#: network holds on the longest way of the largest mesh.
TILE_REQUESTS = 16


class TaggedTileAccess(data.StructLayout):
    """A packet to tiles and its tag."""

    def __init__(self, config):
        super().__init__({"access": TileAccess(config), "tag": unsigned(8)})


class _Progress(data.Struct):
    """Acknowledgements that a packet has, and the first error among them."""

    count: unsigned(9)
    status: Status


class TileTransfer(wiring.Component):
    """Runs commands as packets.

    Members
    -------
    engine : In(EnginePort)
    access : Out(stream.Signature(TaggedTileAccess))
    ack : In(stream.Signature(ResponseHeader, always_ready=True))
        WRITE_ACKs of tiles
    busy : Out(1)
        a command was taken and is not done
    bytes : Out(13)
        bytes of packets that succeeded, each counted once, in the cycle in which they leave the
        ring
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "engine": In(EnginePort(address_bits=config.host.address_bits)),
            "access": Out(stream.Signature(TaggedTileAccess(config))),
            "ack": In(stream.Signature(ResponseHeader, always_ready=True)),
            "busy": Out(1),
            "bytes": Out(13),
        })

    def elaborate(self, platform):
        m = Module()
        flit_bits = ceil_log2(self.config.flit_bytes)
        m.submodules.walk = walk = TileWalk(self.config)
        m.submodules.in_flight = in_flight = InFlight(self.config, requests=TILE_REQUESTS)
        link(m, wiring.flipped(self.engine), in_flight.engine)
        link(m, in_flight.command, walk.command)

        access = walk.access.payload
        in_flight.connect(m, self, walk)
        m.d.comb += in_flight.entry.address.eq(access.remote_row)
        with m.If(access.rows != 0):
            m.d.comb += in_flight.entry.length.eq(
                ((access.rows - 1) << flit_bits) + access.tail_less_one + 1)

        # a packet is complete with the acknowledgement of its last tile
        m.submodules.tiles = tiles = Memory(shape=unsigned(9), depth=TILE_REQUESTS, init=[])
        m.submodules.progress = progress = Memory(shape=_Progress, depth=TILE_REQUESTS, init=[])
        tiles_write, tiles_read = tiles.write_port(), tiles.read_port(domain="comb")
        write, read = progress.write_port(), progress.read_port(domain="comb")
        ack, so_far = self.ack.payload, Signal(_Progress)
        tag = ack.tag[:len(in_flight.tag)]
        m.d.comb += [
            tiles_write.addr.eq(in_flight.tag),
            tiles_write.data.eq(access.tiles),
            tiles_write.en.eq(walk.access.valid & walk.access.ready),
            tiles_read.addr.eq(tag),
            read.addr.eq(tag),
            so_far.count.eq(read.data.count + 1),
            so_far.status.eq(Mux(read.data.status == Status.OK, ack.status, read.data.status)),
            in_flight.complete.valid.eq(self.ack.valid & (so_far.count == tiles_read.data)),
            in_flight.complete.payload.tag.eq(tag),
            in_flight.complete.payload.status.eq(so_far.status),
            write.addr.eq(tag),
            write.en.eq(self.ack.valid),
        ]
        with m.If(~in_flight.complete.valid):
            m.d.comb += write.data.eq(so_far)
        return m
