"""Transposing walks cut into strips, one walk each.

```
 walk --------------------------------------> o      any other walk, at once
     `-> check (7 cycles) -> strips --------> o      of a transposing one
```

A strip is as many rows as a scratchpad row has elements, and of each row as much as
``config.transpose_columns`` elements take. Strips go along the rows first. All of the destination
and the last byte of the source are checked before the first strip, so a strip is never cut short.

Latency: 0 cycles for other walks; a transposing walk taken in cycle t, its first strip offered in
t + 8. Throughput: a strip a cycle.
"""

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .walk import COUNT_BITS, LOCAL_BITS, STRIDE_BITS, Walk

__all__ = ["Splitter"]

#: Cycles that the checks take.
_CHECKS = 7


class Splitter(wiring.Component):
    """Walks to walks.

    Members
    -------
    walk, o : stream of Walk
        ``o`` has ``more`` set if it is not the last strip of its walk, ``local_row`` is where the
        strip's first column goes and ``local_stride_1`` the way to the next column
    drop : In(1)
        forgets the strips that have not left
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "walk": In(stream.Signature(Walk(config, tensor=True))),
            "o": Out(stream.Signature(Walk(config, tensor=True, strips=True))),
            "drop": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, walk, o = self.config, self.walk.payload, self.o.payload
        space_bits, scratchpad_rows = config.host.address_bits, config.tile.scratchpad_rows
        flit_bits = ceil_log2(config.flit_bytes)
        column_bits = ceil_log2(config.transpose_columns)

        # the transposing walk in hand, and its strip
        busy = Signal()
        job = Signal(walk.shape())
        address, block_address = Signal.like(walk.address), Signal.like(walk.address)
        local_row, block_row = Signal(LOCAL_BITS), Signal(LOCAL_BITS)
        rows_less_one, bytes_less_one = Signal(COUNT_BITS), Signal(COUNT_BITS)

        def by_size(values):
            """Of three values, that for the element's bytes (1, 2, 4)."""
            return Array([Const(0), *values])[job.transpose]

        sizes = range(3)
        strip_bytes_less_one = Signal(COUNT_BITS)
        block_rows_less_one, block_stride = Signal(flit_bits), Signal.like(walk.address)
        last_rows, last_bytes = Signal(), Signal()
        m.d.comb += [
            strip_bytes_less_one.eq(by_size([(config.transpose_columns << k) - 1 for k in sizes])),
            block_rows_less_one.eq(by_size([(config.flit_bytes >> k) - 1 for k in sizes])),
            block_stride.eq(by_size([job.stride << (flit_bits - k) for k in sizes])),
            last_rows.eq(rows_less_one <= block_rows_less_one),
            last_bytes.eq(bytes_less_one <= strip_bytes_less_one),
        ]

        # the last scratchpad row, then the last byte: begin + count * stride, a byte of the count
        # at a time, whose product is added in the next cycle
        step, total = Signal(range(_CHECKS + 1)), Signal(max(len(address), LOCAL_BITS + 8) + 2)
        count, stride, high = Signal(COUNT_BITS), Signal(STRIDE_BITS), Signal()
        product = Signal(STRIDE_BITS + 8)
        local_outside, memory_outside, fails = Signal(), Signal(), Signal()
        m.d.comb += [
            count.eq(Mux(step < 3, by_size([bytes_less_one >> k for k in sizes]), rows_less_one)),
            stride.eq(Mux(step < 3, job.local_stride, job.stride)),
            fails.eq(local_outside | memory_outside),
        ]
        m.d.comb += high.eq((step == 1) | (step == 4))
        with m.If(busy & (step != _CHECKS)):
            # low bytes are multiplied in steps 0 and 3, added in 1 and 4; high bytes a step later
            m.d.sync += [
                step.eq(step + 1),
                product.eq(Mux(high, count[8:], count[:8]) * stride),
                total.eq(total + Mux(high, product, product << 8)),
            ]
            with m.If(step == 0):
                blocks_less_one = by_size([rows_less_one >> (flit_bits - k) for k in sizes])
                m.d.sync += total.eq(job.local_row + blocks_less_one)
            with m.If(step == 3):
                m.d.sync += [
                    local_outside.eq(total >= scratchpad_rows),
                    total.eq(job.address + bytes_less_one),
                ]
            with m.If(step == _CHECKS - 1):
                m.d.sync += memory_outside.eq(total[space_bits:].any())

        # a strip, or a walk that ends where the first check failed
        emits, starts, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            starts.eq(~busy & (walk.transpose != 0) & ~walk.illegal),
            emits.eq(busy & (step == _CHECKS)),
            self.o.valid.eq(Mux(busy, emits, self.walk.valid & ~starts)),
            self.walk.ready.eq(~busy & (starts | self.o.ready)),
            ends.eq(fails | (last_rows & last_bytes)),
        ]
        for name in walk.shape().members:
            m.d.comb += o[name].eq(Mux(busy, job[name], walk[name]))
        m.d.comb += o.more.eq(busy & ~ends)
        with m.If(busy):
            m.d.comb += [
                o.address.eq(Mux(fails, ~0, address)),
                o.rows_less_one.eq(Mux(last_rows, rows_less_one, block_rows_less_one)),
                o.row_bytes_less_one.eq(Mux(last_bytes, bytes_less_one, strip_bytes_less_one)),
                o.local_row.eq(local_row),
                o.local_stride.eq(0),
                o.local_stride_1.eq(job.local_stride),
            ]
            with m.If(local_outside):
                beyond = job.local_row >= scratchpad_rows
                m.d.comb += o.local_row.eq(Mux(beyond, job.local_row, scratchpad_rows))

        with m.If(self.walk.valid & starts):
            m.d.sync += [
                busy.eq(1), step.eq(0), job.eq(walk),
                address.eq(walk.address), block_address.eq(walk.address),
                local_row.eq(walk.local_row), block_row.eq(walk.local_row),
                rows_less_one.eq(walk.rows_less_one),
                bytes_less_one.eq(walk.row_bytes_less_one),
            ]
        with m.If(emits & self.o.ready):
            m.d.sync += busy.eq(~ends)
            with m.If(last_bytes):
                m.d.sync += [
                    address.eq(block_address + block_stride),
                    block_address.eq(block_address + block_stride),
                    local_row.eq(block_row + 1),
                    block_row.eq(block_row + 1),
                    rows_less_one.eq(rows_less_one - block_rows_less_one - 1),
                    bytes_less_one.eq(job.row_bytes_less_one),
                ]
            with m.Else():
                m.d.sync += [
                    address.eq(address + strip_bytes_less_one + 1),
                    local_row.eq(local_row + (job.local_stride << column_bits)),
                    bytes_less_one.eq(bytes_less_one - strip_bytes_less_one - 1),
                ]
        with m.If(self.drop):
            m.d.sync += busy.eq(0)
        return m
