"""The router.

::

    i[p] -> InputBuffer p --+--> OutputPort q -> o[q]       for q != p
            credit[p] <-----+

Wormhole switching, five ports. Latency: 2 cycles, one in the buffer and one in the output register (which also drives
the link). Throughput: 1 flit a cycle through each port.
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
    """Moves packets from five inputs to five outputs.

    A packet never leaves by the port it came in by: one that would is an error of its sender, stops a simulation by an
    assertion, and is dropped in hardware so that the network goes on. No combinational path leads from an input of the
    router to an output.

    Parameters
    ----------
    flit_bytes : int
    depth : int
        flits buffered at each input
    routing : function
        see ``routing``

    Members
    -------
    x, y : In(4)
        position, constant; an input so that all routers are one module
    i : In(stream of Flit) x 5
        by ``RouterPort``
    o : Out(stream of Flit) x 5
        by ``RouterPort``; from registers
    credit : Out(1) x 5
        a place in the buffer of that input became free in the cycle before
    """

    def __init__(self, *, flit_bytes, depth, routing=dimension_order):
        self.flit_bytes = flit_bytes
        self.depth = depth
        self.routing = routing
        flits = stream.Signature(Flit(flit_bytes=flit_bytes))
        super().__init__({
            "x": In(4),
            "y": In(4),
            "i": In(flits).array(len(RouterPort)),
            "o": Out(flits).array(len(RouterPort)),
            "credit": Out(1).array(len(RouterPort)),
        })

    @property
    def shared_name(self):
        return f"router_{self.routing.__name__}_{8 * self.flit_bytes}_{self.depth}"

    def elaborate(self, platform):
        m = Module()
        buffers, outputs = [], []
        for port in RouterPort:
            name = port.name.lower()
            m.submodules[f"{name}_i"] = buffer = InputBuffer(
                flit_bytes=self.flit_bytes, depth=self.depth, routing=self.routing)
            m.submodules[f"{name}_o"] = output = OutputPort(
                flit_bytes=self.flit_bytes, inputs=len(RouterPort) - 1)
            buffers.append(buffer)
            outputs.append(output)
            wiring.connect(m, wiring.flipped(self.i[port.value]), buffer.i)
            wiring.connect(m, output.o, wiring.flipped(self.o[port.value]))
            m.d.comb += [
                buffer.x.eq(self.x),
                buffer.y.eq(self.y),
                self.credit[port.value].eq(buffer.credit),
            ]

        for port, buffer in zip(RouterPort, buffers, strict=True):
            head = buffer.o.payload
            taken = []
            for target, output in zip(RouterPort, outputs, strict=True):
                if target is port:
                    continue
                # leave the own port out: input k of output q is port k or, from q on, port k + 1
                i = output.i[port.value - (port.value > target.value)]
                m.d.comb += [
                    i.valid.eq(buffer.o.valid & head.wants[target.value]),
                    i.payload.eq(head.flit),
                ]
                taken.append(i.ready & i.valid)
            back = Signal(name=f"{port.name.lower()}_back")
            m.d.comb += [
                back.eq(buffer.o.valid & head.wants[port.value]),
                buffer.o.ready.eq(reduce(or_, taken, back)),
            ]
            m.d.sync += Assert(ResetSignal() | ~back, "a packet must not leave by the port it came in by")
        return m
