"""A first-in first-out queue between streams."""

from amaranth.hdl import Module, Mux, Shape, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..verilog import UNINITIALISED

__all__ = ["Queue"]


class Queue(wiring.Component):
    """Holds up to ``depth`` items of ``shape``, at least 2.

    The memory is read asynchronously, or, with ``block_ram``, synchronously and ahead: what comes
    to an empty queue goes past it. With ``register`` the item at the front is in a register of its
    own, one more than ``depth``. With ``front`` it is in a register too, what comes to an empty
    queue goes there at once, and what it will be is known a cycle ahead; not with ``block_ram``.

    Latency: 1 cycle, 2 with ``register``.  Throughput: one item per cycle.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    following : Out(shape), moves : Out(1)
        with ``front``: what ``o.payload`` will be in the next cycle if ``moves``, which is when
        ``o`` is taken or was not valid; counts only if ``o.valid`` is set then
    """

    def __init__(self, shape, *, depth, block_ram=False, register=False, front=False):
        self.shape = shape
        self.depth = depth
        self.block_ram = block_ram
        self.register = register
        self.front = front
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            **({"following": Out(shape), "moves": Out(1)} if front else {}),
        })

    def elaborate(self, platform):
        m = Module()
        width = Shape.cast(self.shape).width
        # what is read has been written: no contents at power-on; and not in the same cycle
        rows = memory.Memory(shape=unsigned(width), depth=self.depth, init=[],
                             attrs=UNINITIALISED | ({"no_rw_check": 1} if self.block_ram else {}))
        m.submodules.rows = rows
        write = rows.write_port()
        read = rows.read_port(domain="sync" if self.block_ram else "comb")
        front_item = Signal(width)
        produce = Signal(range(self.depth))
        consume = Signal(range(self.depth))
        after = Signal(range(self.depth), init=1)  # the row behind ``consume``
        # what the pointers say, in registers of their own: others wait for these
        full, filled = Signal(), Signal()
        push = Signal()
        pop = Signal()

        def following(row):
            return Mux(row == self.depth - 1, 0, row + 1)

        item = self.i.payload
        item = item.as_value() if hasattr(item, "as_value") else item
        m.d.comb += [
            self.i.ready.eq(~full),
            push.eq(self.i.valid & ~full),
            write.addr.eq(produce),
            write.data.eq(item),
            write.en.eq(push),
            front_item.eq(read.data),
        ]
        front = Signal(width, reset_less=True)
        free = ~self.o.valid | self.o.ready
        # the item in front of the memory goes on if there is one
        onward = free if self.register else self.o.ready
        m.d.comb += pop.eq(filled & onward)
        if self.block_ram:
            # the row behind the front is read as the front goes; what comes to be the front goes
            # past the memory. Not by a transparent port: Yosys would take ``front`` for that port's
            # register
            passes, passed = Signal(), Signal(width, reset_less=True)
            m.d.comb += [read.addr.eq(after), read.en.eq(pop)]
            with m.If(onward | ~filled):
                m.d.sync += [passes.eq(~filled | (produce == after)), passed.eq(item)]
            with m.If(passes):
                m.d.comb += front_item.eq(passed)
        else:
            m.d.comb += read.addr.eq(after if self.front else consume)
        if self.register:
            m.d.comb += self.o.payload.eq(front)
            with m.If(free):
                m.d.sync += [front.eq(front_item), self.o.valid.eq(filled)]
        else:
            m.d.comb += [
                self.o.valid.eq(filled),
                self.o.payload.eq(front if self.front else front_item),
            ]
        if self.front:
            # behind the front comes what is in the memory, or what comes
            m.d.comb += [
                self.moves.eq(free),
                self.following.eq(Mux(filled & (produce != after), front_item, item)),
            ]
            with m.If(free):
                m.d.sync += front.eq(self.following)
        with m.If(push):
            m.d.sync += produce.eq(following(produce))
        with m.If(pop):
            m.d.sync += [consume.eq(after), after.eq(following(after))]
        m.d.sync += [
            filled.eq(push | filled & ~(onward & (produce == after))),
            full.eq(Mux(push, ~pop & (following(produce) == consume), full & ~onward)),
        ]
        return m
