"""A queue whose oldest item is in a register, and known a cycle before it is there.

```
 i --+--> memory --+--> front --> o
     `-------------'
```
"""

from amaranth.hdl import Module, Mux, Shape, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["HeadQueue"]


class HeadQueue(wiring.Component):
    """Holds up to ``depth`` items of ``shape``, a power of two.

    Latency: 1 cycle.  Throughput: one item per cycle; ``i.ready`` and ``o`` come from registers.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    following : Out(shape)
        what ``o.payload`` will be in the next cycle if ``moves``; counts only if ``o.valid`` is set
        then
    moves : Out(1)
        ``o`` is taken or was not valid
    """

    def __init__(self, shape, *, depth):
        self.shape = shape
        self.depth = depth
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "following": Out(shape),
            "moves": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        width = Shape.cast(self.shape).width
        m.submodules.memory = memory = Memory(shape=unsigned(width), depth=self.depth, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        # ``behind``: items in the memory; one that finds it empty goes to a free front at once
        front, behind = Signal(width), Signal(range(self.depth))
        push, joins, refills = Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(behind != self.depth - 1),
            push.eq(self.i.valid & self.i.ready),
            self.moves.eq(~self.o.valid | self.o.ready),
            joins.eq(push & ~(self.moves & (behind == 0))),
            refills.eq(self.moves & (behind != 0)),
            write.data.eq(self.i.payload.as_value()),
            write.en.eq(push),
            self.o.payload.eq(front),
            self.following.eq(Mux(behind == 0, self.i.payload.as_value(), read.data)),
        ]
        with m.If(self.moves):
            m.d.sync += [
                self.o.valid.eq(push | (behind != 0)), front.eq(self.following.as_value())]
        with m.If(joins):
            m.d.sync += write.addr.eq(write.addr + 1)
        with m.If(refills):
            m.d.sync += read.addr.eq(read.addr + 1)
        m.d.sync += behind.eq(
            Mux(self.moves, Mux(behind == 0, 0, behind - 1 + push), behind + push))
        return m
