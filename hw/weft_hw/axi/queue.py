"""A first-in first-out queue between streams."""

from amaranth.hdl import Module, Shape
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Queue"]


class Queue(wiring.Component):
    """Holds up to ``depth`` items of ``shape``.

    Latency: 1 cycle, or 2 if ``block_ram``, which reads its memory synchronously (and then holds
    one item more than its memory has rows, so that a power of two of rows serves ``depth``).
    Throughput: one item per cycle.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    """

    def __init__(self, shape, *, depth, block_ram=False):
        self.shape = shape
        self.depth = depth
        self.block_ram = block_ram
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        width = Shape.cast(self.shape).width
        if self.block_ram:
            m.submodules.fifo = queue = fifo.SyncFIFOBuffered(width=width, depth=self.depth + 1)
        else:
            m.submodules.fifo = queue = fifo.SyncFIFO(width=width, depth=self.depth)
        payload = self.i.payload
        m.d.comb += [
            queue.w_data.eq(payload.as_value() if hasattr(payload, "as_value") else payload),
            queue.w_en.eq(self.i.valid),
            self.i.ready.eq(queue.w_rdy),
            self.o.payload.eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]
        return m
