"""A first-in first-out queue between streams."""

from amaranth.hdl import Module, Mux, Shape, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..streams.level import count
from ..verilog import UNINITIALISED

__all__ = ["Queue"]


class Queue(wiring.Component):
    """Holds up to ``depth`` items of ``shape``, at least 2.

    The memory is read asynchronously, or, with ``block_ram``, synchronously and ahead: what comes
    to an empty queue goes past it. With ``register`` the item at the front is in a register of its
    own, one more than ``depth``.

    Latency: 1 cycle, 2 with ``register``.  Throughput: one item per cycle.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    """

    def __init__(self, shape, *, depth, block_ram=False, register=False):
        self.shape = shape
        self.depth = depth
        self.block_ram = block_ram
        self.register = register
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

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
        level = Signal(range(self.depth + 1))
        some, one, room = Signal(), Signal(), Signal(init=1)
        push = Signal()
        pop = Signal()

        def following(row):
            return Mux(row == self.depth - 1, 0, row + 1)

        payload = self.i.payload
        m.d.comb += [
            self.i.ready.eq(room),
            push.eq(self.i.valid & self.i.ready),
            write.addr.eq(produce),
            write.data.eq(payload.as_value() if hasattr(payload, "as_value") else payload),
            write.en.eq(push),
            read.addr.eq(Mux(pop, following(consume), consume) if self.block_ram else consume),
            front_item.eq(read.data),
        ]
        if self.block_ram:
            # what comes while its place is read goes past the memory. Not by a transparent port:
            # Yosys would take ``front`` for that port's register
            passes, passed = Signal(), Signal(width, reset_less=True)
            m.d.sync += [passes.eq(push & (~some | (one & pop))), passed.eq(write.data)]
            with m.If(passes):
                m.d.comb += front_item.eq(passed)
        if self.register:
            front = Signal(width, reset_less=True)
            m.d.comb += [
                pop.eq(some & (~self.o.valid | self.o.ready)),
                self.o.payload.eq(front),
            ]
            with m.If(pop):
                m.d.sync += front.eq(front_item)
            with m.If(pop | self.o.ready):
                m.d.sync += self.o.valid.eq(pop)
        else:
            m.d.comb += [
                self.o.valid.eq(some),
                self.o.payload.eq(front_item),
                pop.eq(self.o.valid & self.o.ready),
            ]
        with m.If(push):
            m.d.sync += produce.eq(following(produce))
        with m.If(pop):
            m.d.sync += consume.eq(following(consume))
        count(m, level, up=push, down=pop, flags=[
            (some, lambda items: items != 0), (one, lambda items: items == 1),
            (room, lambda items: items != self.depth)])
        return m
