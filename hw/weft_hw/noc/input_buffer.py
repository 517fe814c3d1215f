"""The input side of a router: a buffer whose flits know where they go."""

from amaranth.hdl import Cat, Module, Shape, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .packet import Flit, NodeAddress, RouterPort

__all__ = ["InputBuffer", "RoutedFlit"]


class RoutedFlit(data.StructLayout):
    """A flit and the output it wants, one bit for each of ``outputs`` outputs; no bit if it wants
    none of them.
    """

    def __init__(self, *, flit_bytes, outputs):
        super().__init__({"flit": Flit(flit_bytes=flit_bytes), "wants": unsigned(outputs)})


class InputBuffer(wiring.Component):
    """Buffers flits and routes each packet as its first flit comes in.

    The route is worked out in the cycle in which the flit arrives (from a register, over the link)
    and kept with all flits of the packet; the switch thus needs no address comparison.

    Latency: 1 cycle.  Throughput: 1 flit a cycle; ``i.ready`` and ``o.valid`` come from registers.

    Parameters
    ----------
    flit_bytes : int
    depth : int
        flits held, a power of two
    targets : tuple of RouterPort
        the outputs there are, in the order of the bits of ``wants``
    routing : function
        see ``routing``

    Members
    -------
    x, y : In(4)
        position of the router, constant
    i : In(stream of Flit)
    o : Out(stream of RoutedFlit)
    credit : Out(1)
        a place became free in the cycle before
    """

    def __init__(self, *, flit_bytes, depth, targets, routing):
        self.depth = depth
        self.targets = targets
        self.routing = routing
        super().__init__({
            "x": In(4),
            "y": In(4),
            "i": In(stream.Signature(Flit(flit_bytes=flit_bytes))),
            "o": Out(stream.Signature(RoutedFlit(flit_bytes=flit_bytes, outputs=len(targets)))),
            "credit": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        shape = self.o.payload.shape()
        m.submodules.memory = memory = Memory(shape=shape, depth=self.depth, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        level = Signal(range(self.depth + 1))
        push, pop = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(level != self.depth),
            self.o.valid.eq(level != 0),
            self.o.payload.eq(read.data),
            push.eq(self.i.valid & self.i.ready),
            pop.eq(self.o.valid & self.o.ready),
        ]

        # the route: of the first flit from its destination, of the others as kept
        destination = NodeAddress(self.i.payload.data[:Shape.cast(NodeAddress).width])
        port = Signal(RouterPort)
        first = Signal(init=1)
        wants = Signal(len(self.targets))
        wants_kept = Signal.like(wants, reset_less=True)  # counts only after a first flit
        for condition, choice in reversed(self.routing(self.x, self.y, destination)):
            with m.If(condition):
                m.d.comb += port.eq(choice)
        with m.If(first):
            m.d.comb += wants.eq(Cat(port == target for target in self.targets))
        with m.Else():
            m.d.comb += wants.eq(wants_kept)
        with m.If(push):
            m.d.sync += [first.eq(self.i.payload.last), wants_kept.eq(wants)]

        # the memory
        m.d.comb += [
            write.en.eq(push),
            write.data.flit.eq(self.i.payload),
            write.data.wants.eq(wants),
        ]
        with m.If(push):
            m.d.sync += write.addr.eq(write.addr + 1)
        with m.If(pop):
            m.d.sync += read.addr.eq(read.addr + 1)
        with m.If(push & ~pop):
            m.d.sync += level.eq(level + 1)
        with m.Elif(~push & pop):
            m.d.sync += level.eq(level - 1)
        m.d.sync += self.credit.eq(pop)
        return m
