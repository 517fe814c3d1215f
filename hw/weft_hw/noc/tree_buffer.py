"""The input side of a router that replicates: an ``InputBuffer`` that can show a packet again."""

from amaranth.hdl import Assert, Cat, Mux, ResetSignal, Shape, Signal, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import In

from .input_buffer import InputBuffer
from .packet import Flit
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


class TreeBuffer(InputBuffer):
    """An ``InputBuffer`` that routes packets to several outputs too.

    A flit taken with ``keep`` stays in the buffer, and when it is the last of its packet the packet
    is shown again from its first flit on. So a packet may leave in several passes; its places are
    free (``credit``) as the last pass takes them.

    Latency: 1 cycle.  Throughput: 1 flit a cycle; ``i.ready`` and ``o.valid`` come from registers.

    Parameters
    ----------
    depth : int
        flits held, a power of two; packets to tiles must not be longer
    port : RouterPort
        where it sits
    flit_bytes, targets, routing
        see ``InputBuffer``; packets to tiles go by ``row_then_columns``

    Members
    -------
    x, y, i, credit
        see ``InputBuffer``
    o : Out(stream of TreeFlit)
    keep : In(1)
        with the acceptance of a flit: its packet is needed again
    """

    def __init__(self, *, flit_bytes, depth, port, targets, routing):
        self.port = port
        super().__init__(flit_bytes=flit_bytes, depth=depth, targets=targets, routing=routing,
                         routed=TreeFlit, more={"keep": In(1)})

    def _routes(self, m, taken):
        to_one = super()._routes(m, taken)["wants"]
        rectangle = Rectangle(self.i.payload.data[:Shape.cast(Rectangle).width])
        branches = {choice: condition for condition, choice
                    in row_then_columns(self.x, self.y, self.port, rectangle)}
        to_many = Cat(branches.get(target, 0) for target in self.targets)
        astray = Cat(condition for choice, condition in branches.items()
                     if choice not in self.targets).any()
        tree = rectangle.mark == TO_TILES
        m.d.sync += Assert(ResetSignal() | ~taken | ~tree | ~astray,
                           "a packet to tiles must stay inside the mesh")
        return {"wants": Mux(tree, to_many, to_one), "tree": tree}

    def _show(self, m, push, pop, address, behind):
        unread = Signal(range(self.depth + 1))
        kept = Signal(range(self.depth))    # flits of the packet shown, taken in this pass
        taken, again = Signal(), Signal()
        m.d.comb += [
            self.o.valid.eq(unread != 0),
            taken.eq(self.o.valid & self.o.ready),
            pop.eq(taken & ~self.keep),
            again.eq(taken & self.keep & self.o.payload.flit.last),
        ]
        m.d.sync += unread.eq(Mux(again, unread + kept, unread - taken) + push)
        with m.If(again):
            m.d.sync += [address.eq(address - kept), kept.eq(0)]
        with m.Elif(taken):
            m.d.sync += [address.eq(address + 1), kept.eq(Mux(self.keep, kept + 1, 0))]
