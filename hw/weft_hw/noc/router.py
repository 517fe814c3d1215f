"""The router.

::

    i_<p> -> InputBuffer p --+--> OutputPort q -> o_<q>       for q != p
             credit_<p> <----+

Wormhole switching, up to five ports. Latency: 2 cycles, one in the buffer and one in the output
register (which also drives the link). Throughput: 1 flit a cycle through each port.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Assert, Module, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .input_buffer import InputBuffer
from .output_port import OutputPort
from .packet import Flit, RouterPort
from .routing import dimension_order

__all__ = ["Router"]


class Router(wiring.Component):
    """Moves packets between its ports.

    A packet never leaves by the port it came in by (but see ``to_self``), nor by one that is not
    there: one that would is an error of its sender, stops a simulation by an assertion, and is
    dropped in hardware so that the network goes on. No combinational path leads from an input of
    the router to an output.

    Parameters
    ----------
    flit_bytes : int
    depth : int
        flits buffered at each input
    ports : tuple of RouterPort
        the ports that lead somewhere, at least two; the others are not built
    routing : function
        see ``routing``
    to_self : bool
        a packet from LOCAL may leave by LOCAL: what a tile sends to itself
    more : dict
        further members, of a router that can more

    Members
    -------
    x, y : In(4)
        position, constant; an input so that routers with the same ports are one module
    i_<port> : In(stream of Flit)
    o_<port> : Out(stream of Flit)
        from registers
    credit_<port> : Out(1)
        a place in the buffer of that input became free in the cycle before
    """

    def __init__(self, *, flit_bytes, depth, ports=tuple(RouterPort), routing=dimension_order,
                 to_self=False, more=None):
        if len(ports) < 2:
            raise ValueError(f"ports must be at least two, not {len(ports)}")
        self.flit_bytes = flit_bytes
        self.depth = depth
        self.ports = ports
        self.routing = routing
        self.to_self = to_self
        flits = stream.Signature(Flit(flit_bytes=flit_bytes))
        members = {"x": In(4), "y": In(4)}
        for port in map(_name, ports):
            members |= {f"i_{port}": In(flits), f"o_{port}": Out(flits), f"credit_{port}": Out(1)}
        super().__init__(members | (more or {}))

    @property
    def shared_name(self):
        ports = "".join(port.name[0].lower() for port in self.ports)
        to_self = "_self" if self.to_self else ""
        return f"router_{self.routing.__name__}_{8 * self.flit_bytes}_{self.depth}{to_self}_{ports}"

    @property
    def sources(self):
        """Port -> the ports by which packets come in that may leave by it: the others, and last
        itself, which changes nothing in the turns of the others.
        """
        return {port: (*(other for other in self.ports if other is not port),
                       *((port,) if self.to_self and port is RouterPort.LOCAL else ()))
                for port in self.ports}

    #: Port -> the ports that a packet which came in by it may leave by: the same.
    targets = sources

    def input(self, port):
        """The stream into ``port``."""
        return getattr(self, f"i_{_name(port)}")

    def output(self, port):
        """The stream out of ``port``."""
        return getattr(self, f"o_{_name(port)}")

    def credit(self, port):
        """The credit of the input of ``port``."""
        return getattr(self, f"credit_{_name(port)}")

    def elaborate(self, platform):
        m = Module()
        targets, sources = self.targets, self.sources
        buffers, outputs = {}, {}
        for port in self.ports:
            m.submodules[f"{_name(port)}_i"] = buffers[port] = buffer = InputBuffer(
                flit_bytes=self.flit_bytes, depth=self.depth, targets=targets[port],
                routing=self.routing)
            m.submodules[f"{_name(port)}_o"] = outputs[port] = output = OutputPort(
                flit_bytes=self.flit_bytes, inputs=len(sources[port]))
            wiring.connect(m, wiring.flipped(self.input(port)), buffer.i)
            wiring.connect(m, output.o, wiring.flipped(self.output(port)))
            m.d.comb += [
                buffer.x.eq(self.x),
                buffer.y.eq(self.y),
                self.credit(port).eq(buffer.credit),
            ]

        astray = Signal(len(self.ports))
        for port, buffer, is_astray in zip(self.ports, buffers.values(), astray, strict=True):
            head = buffer.o.payload
            taken = []
            for target, wanted in zip(buffer.targets, head.wants, strict=True):
                i = outputs[target].i[sources[target].index(port)]
                m.d.comb += [i.valid.eq(buffer.o.valid & wanted), i.payload.eq(head.flit)]
                taken.append(i.ready)
            m.d.comb += [
                is_astray.eq(buffer.o.valid & (head.wants == 0)),
                buffer.o.ready.eq(reduce(or_, taken, is_astray)),
            ]
        m.d.sync += Assert(ResetSignal() | ~astray.any(),
                           "a packet must leave by a port there is, not by the one it came in by")
        return m


def _name(port):
    return port.name.lower()
