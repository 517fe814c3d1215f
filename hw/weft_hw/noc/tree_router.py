"""The router that replicates packets to tiles.

::

    i_<p> -> TreeBuffer p --+--> TreeOutput q -> o_<q>       for q != p, and LOCAL to LOCAL
             Fork p  <------+--- room_<q>
             credit_<p> <---+

Virtual cut-through for packets to tiles, wormhole switching for the others, which it treats cycle
for cycle as ``Router`` does. Latency: 2 cycles, on every branch. Throughput: 1 flit a cycle through
each port, to all branches of a packet at once where they are free.
"""

from amaranth.hdl import Assert, Cat, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from .fork import Fork
from .packet import RouterPort
from .router import Router
from .routing import dimension_order
from .tree_buffer import TreeBuffer
from .tree_output import TreeOutput

__all__ = ["TreeRouter"]


class TreeRouter(Router):
    """A ``Router`` for packets to one node and to rectangles of tiles.

    How long a packet at the head of an input can wait for an output: until each other input has
    sent one packet there. A packet to tiles that leaves in several passes waits so for each pass,
    and there are at most as many as branches. An output may stand idle for a packet to tiles for
    ``packet_flits`` cycles while it waits for its other branches.

    Parameters
    ----------
    flit_bytes, depth, ports, routing
        see ``Router``
    packet_flits : int
        flits of the largest packet to tiles, at most ``depth``

    Members
    -------
    x, y, i_<port>, o_<port>, credit_<port>
        see ``Router``
    room_<port> : In(1)
        the buffer behind that output has room for ``packet_flits`` beside the flit in the output
        register; 1 where a node takes what comes
    """

    def __init__(self, *, flit_bytes, depth, packet_flits, ports=tuple(RouterPort),
                 routing=dimension_order):
        if packet_flits > depth:
            raise ValueError(
                f"depth must hold a whole packet to tiles of {packet_flits} flits, not {depth}")
        self.packet_flits = packet_flits
        super().__init__(flit_bytes=flit_bytes, depth=depth, ports=ports, routing=routing,
                         to_self=True, more={f"room_{port.name.lower()}": In(1) for port in ports})

    @property
    def shared_name(self):
        return f"tree_{self.packet_flits}_{super().shared_name}"

    def room(self, port):
        """The room behind the output of ``port``."""
        return getattr(self, f"room_{port.name.lower()}")

    def elaborate(self, platform):
        m = Module()
        targets, sources = self.targets, self.sources
        buffers, forks, outputs = {}, {}, {}
        for port in self.ports:
            name = port.name.lower()
            m.submodules[f"{name}_i"] = buffers[port] = buffer = TreeBuffer(
                flit_bytes=self.flit_bytes, depth=self.depth, port=port, targets=targets[port],
                routing=self.routing)
            m.submodules[f"{name}_fork"] = forks[port] = fork = Fork(
                outputs=len(targets[port]), patience=self.packet_flits)
            m.submodules[f"{name}_o"] = outputs[port] = output = TreeOutput(
                flit_bytes=self.flit_bytes, inputs=len(sources[port]))
            wiring.connect(m, wiring.flipped(self.input(port)), buffer.i)
            wiring.connect(m, output.o, wiring.flipped(self.output(port)))
            m.d.comb += [
                buffer.x.eq(self.x),
                buffer.y.eq(self.y),
                self.credit(port).eq(buffer.credit),
                output.room.eq(self.room(port)),
                fork.valid.eq(buffer.o.valid),
                fork.last.eq(buffer.o.payload.flit.last),
                fork.tree.eq(buffer.o.valid & buffer.o.payload.tree),
                fork.wants.eq(buffer.o.payload.wants),
                buffer.keep.eq(fork.keep),
            ]

        astray = Signal(len(self.ports))
        for port, is_astray in zip(self.ports, astray, strict=True):
            head, fork = buffers[port].o, forks[port]
            m.d.comb += [
                is_astray.eq(head.valid & (head.payload.wants == 0)),
                head.ready.eq(fork.ready | is_astray),
            ]
            offers = []
            for k, target in enumerate(targets[port]):
                output, place = outputs[target], sources[target].index(port)
                m.d.comb += [
                    output.i[place].eq(head.payload.flit),
                    output.request[place].eq(fork.request[k]),
                    output.tree[place].eq(fork.tree),
                    output.go[place].eq(fork.go[k]),
                ]
                offers.append(output.offers[place])
            m.d.comb += fork.offers.eq(Cat(offers))
        m.d.sync += Assert(ResetSignal() | ~astray.any(),
                           "a packet must leave by a port there is, not by the one it came in by")
        return m
