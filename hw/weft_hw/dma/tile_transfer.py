"""Stores to tiles: commands in, packets out, ``Done`` in order when all tiles have acknowledged.

```
 command -> TileWalk ---> access (a packet, with its tag)
    |          `-> RequestRing <- complete <- count of acknowledgements <- ack
    `-> tickets (index, signal) --'  `-> done
```

The next command's packets follow the previous command's long before that one is done. The first
error of a command, or ``abort``, ends its packets; it is done when all that were made have been
acknowledged by all their tiles.

Latency: command taken in cycle t, first access offered in t + 4; the last ``ack`` of a command in
t, its ``done`` offered in t + 1. Throughput: an access a cycle.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from ..isa import CommandHeader, Status
from ..noc.packet import ResponseHeader
from ..streams.link import link
from ..tile.engine import EnginePort
from .ring import RequestRing, Ticket
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
        address_bits, depth = self.config.host.address_bits, self.config.tile.command_queue_depth
        flit_bits = ceil_log2(self.config.flit_bytes)
        m.submodules.walk = walk = TileWalk(self.config)
        m.submodules.ring = ring = RequestRing(requests=TILE_REQUESTS, address_bits=address_bits)
        m.submodules.tickets = tickets = fifo.SyncFIFO(width=Ticket.as_shape().size, depth=depth)
        link(m, ring.done, wiring.flipped(self.engine.done))

        # a command enters the walk and leaves its ticket
        command, ticket = self.engine.command, Signal(Ticket)
        m.d.comb += [
            walk.command.payload.eq(command.payload),
            walk.command.valid.eq(command.valid & tickets.w_rdy),
            command.ready.eq(walk.command.ready & tickets.w_rdy),
            ticket.index.eq(command.payload.index),
            ticket.signal.eq(data.View(CommandHeader, command.payload.bits[:64]).signal),
            tickets.w_data.eq(ticket),
            tickets.w_en.eq(command.valid & command.ready),
            ring.ticket.payload.eq(tickets.r_data),
            ring.ticket.valid.eq(tickets.r_rdy),
            tickets.r_en.eq(ring.ticket.ready),
            self.busy.eq(tickets.r_rdy),
            self.bytes.eq(ring.bytes),
        ]

        # an access takes a ring entry; a fault takes one without becoming a packet
        access, is_request = walk.access.payload, Signal()
        m.d.comb += [
            is_request.eq(access.status == Status.OK),
            self.access.payload.access.eq(access),
            self.access.payload.tag.eq(ring.tag),
            self.access.valid.eq(walk.access.valid & is_request & ring.room),
            walk.access.ready.eq(ring.room & (self.access.ready | ~is_request)),
            ring.allocate.eq(walk.access.valid & walk.access.ready),
            ring.entry.status.eq(access.status),
            ring.entry.last.eq(access.last),
            ring.entry.address.eq(access.remote_row),
        ]
        with m.If(access.rows != 0):
            m.d.comb += ring.entry.length.eq(
                ((access.rows - 1) << flit_bits) + access.tail_less_one + 1)

        # an error stops the walk in progress only if it is the oldest command's; both are counted
        # modulo a power of two above the number of commands that fit between them
        issuing, oldest = Signal(bits_for(depth)), Signal(bits_for(depth))
        m.d.comb += walk.stop.eq(self.engine.abort | (ring.failed & (issuing == oldest)))
        m.d.sync += [
            issuing.eq(issuing + walk.ended),
            oldest.eq(oldest + (ring.done.valid & ring.done.ready)),
        ]

        # a packet is complete with the acknowledgement of its last tile
        m.submodules.tiles = tiles = Memory(shape=unsigned(9), depth=TILE_REQUESTS, init=[])
        m.submodules.progress = progress = Memory(shape=_Progress, depth=TILE_REQUESTS, init=[])
        tiles_write, tiles_read = tiles.write_port(), tiles.read_port(domain="comb")
        write, read = progress.write_port(), progress.read_port(domain="comb")
        ack, so_far = self.ack.payload, Signal(_Progress)
        tag = ack.tag[:len(ring.tag)]
        m.d.comb += [
            tiles_write.addr.eq(ring.tag),
            tiles_write.data.eq(access.tiles),
            tiles_write.en.eq(ring.allocate),
            tiles_read.addr.eq(tag),
            read.addr.eq(tag),
            so_far.count.eq(read.data.count + 1),
            so_far.status.eq(Mux(read.data.status == Status.OK, ack.status, read.data.status)),
            ring.complete.valid.eq(self.ack.valid & (so_far.count == tiles_read.data)),
            ring.complete.payload.tag.eq(tag),
            ring.complete.payload.status.eq(so_far.status),
            write.addr.eq(tag),
            write.en.eq(self.ack.valid),
        ]
        with m.If(~ring.complete.valid):
            m.d.comb += write.data.eq(so_far)
        return m
