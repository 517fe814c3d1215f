"""What the front ends of the DMA engines share: commands in, accesses numbered, ``Done`` in order.

```
 engine.command ----> command (to the walk)       offered: an access of the walk
        |                                            |`-- go, tag --> a request
        `-> tickets (index, signal) --> RequestRing <-`   complete <-- its answer
                                            `-> engine.done
```

The next command's accesses follow the previous command's long before that one is done. The first
error of a command, or ``abort``, ends its accesses; it is done when all that were made have been
answered.

Latency: command and access 0 cycles; the last ``complete`` of a command in cycle t, its ``done``
offered in t + 1. Throughput: an access a cycle.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..axi.queue import Queue
from ..isa import CommandHeader, CommandWord
from ..streams.link import link
from ..tile.engine import EnginePort
from .ring import Completed, Entry, RequestRing, Ticket

__all__ = ["InFlight"]


class InFlight(wiring.Component):
    """Tickets and ring of an engine with ``requests`` requests in flight.

    Members
    -------
    engine : In(EnginePort)
    command : Out(stream.Signature(CommandWord))
        to the walk
    offered, entry, faulty, taken : In(1), In(Entry), In(1), Out(1)
        the walk's access; one whose status is not OK (``faulty``) takes its entry without becoming
        a request
    go, tag, accepted : Out(1), Out, In(1)
        the access offered is a request with this tag; it is accepted
    stop : Out(1), ended : In(1)
        of the walk in progress: see ``pattern.Pattern``
    complete : In(stream.Signature(Completed, always_ready=True))
    busy : Out(1)
        a command was taken and is not done
    bytes : Out(13)
        bytes of requests that succeeded, in the cycle in which they leave the ring
    """

    def __init__(self, config, *, requests):
        self.config = config
        self.requests = requests
        address_bits = config.host.address_bits
        super().__init__({
            "engine": In(EnginePort(address_bits=address_bits)),
            "command": Out(stream.Signature(CommandWord)),
            "offered": In(1),
            "entry": In(Entry(address_bits=address_bits)),
            "faulty": In(1),
            "taken": Out(1),
            "go": Out(1),
            "tag": Out(range(requests)),
            "accepted": In(1),
            "stop": Out(1),
            "ended": In(1),
            "complete": In(stream.Signature(Completed(tags=requests), always_ready=True)),
            "busy": Out(1),
            "bytes": Out(13),
        })

    def connect(self, m, front, walk):
        """Joins it to the walk whose accesses it numbers, and to the front end ``front`` whose
        ports it serves. Of ``entry``, ``length`` and ``address`` are left."""
        access = walk.access.payload
        m.d.comb += [
            self.offered.eq(walk.access.valid),
            self.entry.status.eq(access.status),
            self.entry.last.eq(access.last),
            self.faulty.eq(walk.faulty),
            self.ended.eq(walk.ended),
            self.accepted.eq(front.access.ready),
            walk.access.ready.eq(self.taken),
            walk.stop.eq(self.stop),
            front.access.payload.access.eq(access),
            front.access.payload.tag.eq(self.tag),
            front.access.valid.eq(self.go),
            front.busy.eq(self.busy),
            front.bytes.eq(self.bytes),
        ]

    def elaborate(self, platform):
        m = Module()
        address_bits, depth = self.config.host.address_bits, self.config.tile.command_queue_depth
        m.submodules.ring = ring = RequestRing(requests=self.requests, address_bits=address_bits)
        m.submodules.tickets = tickets = Queue(Ticket, depth=depth, front=True)
        link(m, wiring.flipped(self.complete), ring.complete)
        link(m, ring.done, wiring.flipped(self.engine.done))
        link(m, tickets.o, ring.ticket)

        # a command enters the walk and leaves its ticket
        command, ticket = self.engine.command, tickets.i.payload
        m.d.comb += [
            self.command.payload.eq(command.payload),
            self.command.valid.eq(command.valid & tickets.i.ready),
            command.ready.eq(self.command.ready & tickets.i.ready),
            ticket.index.eq(command.payload.index),
            ticket.signal.eq(data.View(CommandHeader, command.payload.bits[:64]).signal),
            tickets.i.valid.eq(command.valid & self.command.ready),
            self.busy.eq(tickets.o.valid),
            self.bytes.eq(ring.bytes),
        ]

        # an access takes a ring entry; a fault takes one without becoming a request
        m.d.comb += [
            self.tag.eq(ring.tag),
            self.go.eq(self.offered & ~self.faulty & ring.room),
            self.taken.eq(ring.room & (self.accepted | self.faulty)),
            ring.offered.eq(self.offered),
            ring.faulty.eq(self.faulty),
            ring.allocate.eq(self.offered & self.taken),
            ring.entry.eq(self.entry),
        ]

        # an error stops the walk in progress only if it is the oldest command's; both are counted
        # modulo a power of two above the number of commands that fit between them
        issuing, oldest = Signal(bits_for(depth)), Signal(bits_for(depth))
        m.d.comb += self.stop.eq(self.engine.abort | (ring.failed & (issuing == oldest)))
        with m.If(self.ended):
            m.d.sync += issuing.eq(issuing + 1)
        with m.If(ring.done.valid & ring.done.ready):
            m.d.sync += oldest.eq(oldest + 1)
        return m
