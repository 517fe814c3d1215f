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
    routed : layout
        of ``o``, for a buffer that routes otherwise
    more : dict
        further members, of a buffer that can more

    Members
    -------
    x, y : In(4)
        position of the router, constant
    i : In(stream of Flit)
    o : Out(stream of RoutedFlit)
    credit : Out(1)
        a place became free in the cycle before
    """

    def __init__(self, *, flit_bytes, depth, targets, routing, routed=RoutedFlit, more=None):
        self.depth = depth
        self.targets = targets
        self.routing = routing
        super().__init__({
            "x": In(4),
            "y": In(4),
            "i": In(stream.Signature(Flit(flit_bytes=flit_bytes))),
            "o": Out(stream.Signature(routed(flit_bytes=flit_bytes, outputs=len(targets)))),
            "credit": Out(1),
            **(more or {}),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.o.payload.shape(), depth=self.depth, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        oldest = Signal(range(self.depth))  # the place that becomes free next
        full = Signal()
        push, pop = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~full),
            push.eq(self.i.valid & ~full),
            write.en.eq(push),
            write.data.flit.eq(self.i.payload),
            self.o.payload.eq(read.data),
        ]

        # the route: of the first flit as worked out, of the others as kept
        first = Signal(init=1)
        with m.If(push):
            m.d.sync += [write.addr.eq(write.addr + 1), first.eq(self.i.payload.last)]
        for name, route in self._routes(m, push & first).items():
            chosen = Signal(len(route), name=name)
            kept = Signal.like(chosen, name=f"{name}_kept", reset_less=True)  # after a first flit
            m.d.comb += [chosen.eq(kept), write.data[name].eq(chosen)]
            with m.If(first):
                m.d.comb += chosen.eq(route)
            with m.If(push):
                m.d.sync += kept.eq(chosen)

        self._show(m, push, pop, read.addr, write.addr)
        with m.If(pop):
            m.d.sync += [oldest.eq(oldest + 1), full.eq(0)]
        with m.Elif(push):
            m.d.sync += full.eq((write.addr + 1)[:len(oldest)] == oldest)
        m.d.sync += self.credit.eq(pop)
        return m

    def _routes(self, m, taken):
        """Fields of ``o.payload`` beside the flit, for a first flit in ``i``; ``taken``: it is."""
        destination = NodeAddress(self.i.payload.data[:Shape.cast(NodeAddress).width])
        port = Signal(RouterPort)
        for condition, choice in reversed(self.routing(self.x, self.y, destination)):
            with m.If(condition):
                m.d.comb += port.eq(choice)
        return {"wants": Cat(port == target for target in self.targets)}

    def _show(self, m, push, pop, address, behind):
        """Shows the flit at ``address`` up to that before ``behind``; ``pop``: a place becomes
        free."""
        filled = Signal()
        m.d.comb += [self.o.valid.eq(filled), pop.eq(filled & self.o.ready)]
        with m.If(push):
            m.d.sync += filled.eq(1)
        with m.Elif(pop):
            m.d.sync += filled.eq((address + 1)[:len(address)] != behind)
        with m.If(pop):
            m.d.sync += address.eq(address + 1)
