"""What both DMA engines share: commands in, requests out, ``Done`` in order.

```
 engine.command -> Decode -> Pattern ---> access (a request, with its tag)
        |                        |    `-> RequestRing <- complete
        `-> tickets (index, signal) ----------'  `-> engine.done
```

The next command's accesses follow the previous command's without a gap, long before that one is
done. The first error of a command, or ``abort``, ends its accesses; it is done when all that were
made have been answered.

Latency: command taken in cycle t, first access offered in t + 4; the last ``complete`` of a command
in t, its ``done`` offered in t + 1. Throughput: an access a cycle, a command every 2 cycles.
"""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..isa import CommandHeader, Status
from ..memory.port import ReadPort
from ..streams.link import link
from ..tile.engine import EnginePort
from .decode import Decode
from .pattern import Pattern
from .ring import Completed, RequestRing, Ticket
from .split import Splitter
from .walk import Access

__all__ = ["TaggedAccess", "Transfer"]


class TaggedAccess(data.StructLayout):
    """An access whose status is OK, and its tag."""

    def __init__(self, config, *, tensor=False):
        super().__init__({"access": Access(config, tensor=tensor), "tag": unsigned(8)})


class Transfer(wiring.Component):
    """Runs commands as requests: STOREs, or with ``load`` LOADs and, where the tile has
    ``tensor_loads``, GATHERs and FILLs.

    Members
    -------
    engine : In(EnginePort)
    access : Out(stream.Signature(TaggedAccess))
        a request, or what ``Access`` says of a fill; either is to be completed
    complete : In(stream.Signature(Completed, always_ready=True))
    busy : Out(1)
        a command was taken and is not done
    bytes : Out(13)
        payload bytes of requests that succeeded, in the cycle in which they leave the ring
    indices : Out(ReadPort)
        of a gather; if it runs any
    """

    def __init__(self, config, *, requests, load=False):
        self.config = config
        self.requests = requests
        self.load = load
        tile = config.tile
        self.tensor = tensor = load and tile.tensor_loads
        indices = ReadPort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)
        super().__init__({
            "engine": In(EnginePort(address_bits=config.host.address_bits)),
            "access": Out(stream.Signature(TaggedAccess(config, tensor=tensor))),
            "complete": In(stream.Signature(Completed(tags=requests), always_ready=True)),
            "busy": Out(1),
            "bytes": Out(13),
            **({"indices": Out(indices)} if tensor else {}),
        })

    def elaborate(self, platform):
        m = Module()
        address_bits, depth = self.config.host.address_bits, self.config.tile.command_queue_depth
        m.submodules.decode = decode = Decode(self.config, load=self.load)
        m.submodules.pattern = pattern = Pattern(self.config, tensor=self.tensor)
        m.submodules.ring = ring = RequestRing(requests=self.requests, address_bits=address_bits)
        m.submodules.tickets = tickets = fifo.SyncFIFO(width=Ticket.as_shape().size, depth=depth)
        if self.tensor and self.config.tile.transpose:
            m.submodules.splitter = splitter = Splitter(self.config)
            link(m, decode.walk, splitter.walk)
            link(m, splitter.o, pattern.walk)
            m.d.comb += splitter.drop.eq(pattern.killed)
        else:
            link(m, decode.walk, pattern.walk)
        link(m, wiring.flipped(self.complete), ring.complete)
        link(m, ring.done, wiring.flipped(self.engine.done))

        # a command enters decode and leaves its ticket
        command, ticket = self.engine.command, Signal(Ticket)
        m.d.comb += [
            decode.command.payload.eq(command.payload),
            decode.command.valid.eq(command.valid & tickets.w_rdy),
            command.ready.eq(decode.command.ready & tickets.w_rdy),
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

        # an access takes a ring entry; a fault takes one without becoming a request
        access, is_request = pattern.access.payload, Signal()
        m.d.comb += [
            is_request.eq(access.status == Status.OK),
            self.access.payload.access.eq(access),
            self.access.payload.tag.eq(ring.tag),
            self.access.valid.eq(pattern.access.valid & is_request & ring.room),
            pattern.access.ready.eq(ring.room & (self.access.ready | ~is_request)),
            ring.allocate.eq(pattern.access.valid & pattern.access.ready),
            ring.entry.status.eq(access.status),
            ring.entry.last.eq(access.last),
            ring.entry.length.eq(access.length),
            ring.entry.address.eq(access.address),
        ]
        if self.tensor:
            link(m, pattern.indices, wiring.flipped(self.indices))
            # bytes that are not loaded are not counted
            with m.If(access.fill):
                m.d.comb += ring.entry.length.eq(0)

        # an error stops the walk in progress only if it is the oldest command's; both are counted
        # modulo a power of two above the number of commands that fit between them
        issuing, oldest = Signal(bits_for(depth)), Signal(bits_for(depth))
        m.d.comb += pattern.stop.eq(self.engine.abort | (ring.failed & (issuing == oldest)))
        m.d.sync += [
            issuing.eq(issuing + pattern.ended),
            oldest.eq(oldest + (ring.done.valid & ring.done.ready)),
        ]
        return m
