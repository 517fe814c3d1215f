"""The input side of a router that replicates: an ``InputBuffer`` that can show a packet again."""

from amaranth.hdl import Assert, Cat, Module, Mux, ResetSignal, Shape, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .packet import Flit, NodeAddress, RouterPort
from .routing import row_then_columns
from .tile_packet import TO_TILES, Rectangle

__all__ = ["TreeBuffer", "TreeFlit"]


class TreeFlit(data.StructLayout):
    """A flit and the outputs it wants, one bit for each of ``outputs``: one of them, or any number
    if it is of a packet to tiles (``tree``).
    """

    def __init__(self, *, flit_bytes, outputs):
        super().__init__({"flit": Flit(flit_bytes=flit_bytes), "wants": unsigned(outputs),
                          "tree": unsigned(1)})


class TreeBuffer(wiring.Component):
    """Buffers flits and routes each packet as its first flit comes in, to one output or several.

    A flit taken with ``keep`` stays in the buffer, and when it is the last of its packet the packet
    is shown again from its first flit on. So a packet may leave in several passes; its places are
    free (``credit``) as the last pass takes them.

    Latency: 1 cycle.  Throughput: 1 flit a cycle; ``i.ready`` and ``o.valid`` come from registers.

    Parameters
    ----------
    flit_bytes : int
    depth : int
        flits held, a power of two; packets to tiles must not be longer
    port : RouterPort
        where it sits
    targets : tuple of RouterPort
        the outputs there are, in the order of the bits of ``wants``
    routing : function
        see ``routing``; packets to tiles go by ``row_then_columns``

    Members
    -------
    x, y : In(4)
        position of the router, constant
    i : In(stream of Flit)
    o : Out(stream of TreeFlit)
    keep : In(1)
        with the acceptance of a flit: its packet is needed again
    credit : Out(1)
        a place became free in the cycle before
    """

    def __init__(self, *, flit_bytes, depth, port, targets, routing):
        self.depth = depth
        self.port = port
        self.targets = targets
        self.routing = routing
        super().__init__({
            "x": In(4),
            "y": In(4),
            "i": In(stream.Signature(Flit(flit_bytes=flit_bytes))),
            "o": Out(stream.Signature(TreeFlit(flit_bytes=flit_bytes, outputs=len(targets)))),
            "keep": In(1),
            "credit": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        shape = self.o.payload.shape()
        m.submodules.memory = memory = Memory(shape=shape, depth=self.depth, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        level, unread = Signal(range(self.depth + 1)), Signal(range(self.depth + 1))
        kept = Signal(range(self.depth))    # flits of the packet shown, taken in this pass
        push, pop, again = Signal(), Signal(), Signal()
        taken = Signal()
        m.d.comb += [
            self.i.ready.eq(level != self.depth),
            self.o.valid.eq(unread != 0),
            self.o.payload.eq(read.data),
            push.eq(self.i.valid & self.i.ready),
            taken.eq(self.o.valid & self.o.ready),
            pop.eq(taken & ~self.keep),
            again.eq(taken & self.keep & self.o.payload.flit.last),
        ]

        # the route: of the first flit from its destination, of the others as kept
        first = Signal(init=1)
        wants, tree, astray = Signal(len(self.targets)), Signal(), Signal()
        wants_kept = Signal.like(wants, reset_less=True)  # counts only after a first flit
        tree_kept = Signal(reset_less=True)               # likewise
        head = self.i.payload.data
        destination = NodeAddress(head[:Shape.cast(NodeAddress).width])
        rectangle = Rectangle(head[:Shape.cast(Rectangle).width])
        port = Signal(RouterPort)
        for condition, choice in reversed(self.routing(self.x, self.y, destination)):
            with m.If(condition):
                m.d.comb += port.eq(choice)
        branches = {choice: condition for condition, choice
                    in row_then_columns(self.x, self.y, self.port, rectangle)}
        with m.If(first):
            m.d.comb += tree.eq(rectangle.mark == TO_TILES)
            with m.If(tree):
                m.d.comb += [
                    wants.eq(Cat(branches.get(target, 0) for target in self.targets)),
                    astray.eq(Cat(condition for choice, condition in branches.items()
                                  if choice not in self.targets).any()),
                ]
            with m.Else():
                m.d.comb += wants.eq(Cat(port == target for target in self.targets))
        with m.Else():
            m.d.comb += [wants.eq(wants_kept), tree.eq(tree_kept)]
        with m.If(push):
            m.d.sync += [first.eq(self.i.payload.last), wants_kept.eq(wants), tree_kept.eq(tree)]
        m.d.sync += Assert(ResetSignal() | ~push | ~astray,
                           "a packet to tiles must stay inside the mesh")

        # the memory
        m.d.comb += [
            write.en.eq(push),
            write.data.flit.eq(self.i.payload),
            write.data.wants.eq(wants),
            write.data.tree.eq(tree),
        ]
        with m.If(push):
            m.d.sync += write.addr.eq(write.addr + 1)
        m.d.sync += [
            level.eq(level + push - pop),
            unread.eq(Mux(again, unread + kept, unread - taken) + push),
            self.credit.eq(pop),
        ]
        with m.If(again):
            m.d.sync += [read.addr.eq(read.addr - kept), kept.eq(0)]
        with m.Elif(taken):
            m.d.sync += [read.addr.eq(read.addr + 1), kept.eq(Mux(self.keep, kept + 1, 0))]
        return m
