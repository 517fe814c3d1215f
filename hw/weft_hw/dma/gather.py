"""Where the rows of a gather begin: indices from the scratchpad, times the stride.

```
 start --> index row --> read .. READ_LATENCY .. --> indices --> index * stride + base --> o
           (asked for)                               (a row)     (a byte of the index a cycle)
```

An index is multiplied a byte a cycle, least significant first, so that no path is longer than a
processing element's. A row of indices is asked for when the last one of the row before is taken.

Latency: ``start`` in cycle t, the first index row asked for in t + 2; granted in t, first ``o`` in
t + READ_LATENCY + 6. Throughput: a row every 4 cycles while reads are granted at once.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..memory.port import ReadPort
from .walk import COUNT_BITS, LOCAL_BITS, STRIDE_BITS

__all__ = ["GatherJob", "GatherRows", "RowStart"]

_INDEX_BITS = 32
_INDEX_BYTES = _INDEX_BITS // 8


class GatherJob(data.StructLayout):
    """``rows_less_one + 1`` indices, packed from scratchpad row ``index_row`` on, each below
    ``limit``.
    """

    def __init__(self, *, address_bits):
        super().__init__({
            "base": unsigned(address_bits),
            "stride": unsigned(STRIDE_BITS),
            "rows_less_one": unsigned(COUNT_BITS),
            "index_row": unsigned(LOCAL_BITS),
            "limit": unsigned(_INDEX_BITS),
        })


class RowStart(data.StructLayout):
    """Memory address where a row begins, or why it is not to be read: the scratchpad row of its
    index is ``outside``, or the index is ``bad``; ``row`` is that scratchpad row.
    """

    def __init__(self, *, address_bits):
        super().__init__({
            "address": unsigned(address_bits),
            "row": unsigned(LOCAL_BITS),
            "outside": unsigned(1),
            "bad": unsigned(1),
        })


class GatherRows(wiring.Component):
    """One job after another, each to its end or until ``clear``.

    Members
    -------
    start, job : In
        begins a job; the one before is forgotten
    clear : In(1)
        forgets the job
    indices : Out(ReadPort)
        rows of indices; a read that was asked for is seen through and forgotten with its job
    o : Out(stream.Signature(RowStart))
        falls with ``clear`` and ``start``; a row that is not to be read is followed by neither row
        nor end
    """

    def __init__(self, config, *, address_bits):
        self.config = config
        self.address_bits = address_bits
        tile = config.tile
        super().__init__({
            "start": In(1),
            "job": In(GatherJob(address_bits=address_bits)),
            "clear": In(1),
            "indices": Out(ReadPort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)),
            "o": Out(stream.Signature(RowStart(address_bits=address_bits))),
        })

    def elaborate(self, platform):
        m = Module()
        space_bits = self.config.host.address_bits
        row_bits = ceil_log2(self.config.tile.scratchpad_rows)
        per_row = 8 * self.config.tile.row_bytes // _INDEX_BITS
        job = Signal(self.job.shape())
        read = self.indices

        # the row of indices in hand, and the read of the next
        active, left_less_one = Signal(), Signal(COUNT_BITS)
        row, row_left = Signal(per_row * _INDEX_BITS), Signal(range(per_row + 1))
        row_number, next_number, outside = Signal(LOCAL_BITS), Signal(LOCAL_BITS), Signal()
        asked, pending, stale, asked_row = Signal(), Signal(), Signal(), Signal(row_bits)
        wants, takes, comes, last = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            last.eq(left_less_one == 0),
            outside.eq(next_number[row_bits:].any()),
            wants.eq(active & ~outside & ~asked & ~pending
                     & ((row_left == 0) | ((row_left == 1) & takes & ~last))),
            comes.eq(pending & read.response.valid),
            read.request.valid.eq(asked),
            read.request.payload.eq(asked_row),
        ]
        with m.If(wants):
            m.d.sync += [asked.eq(1), asked_row.eq(next_number)]
        with m.If(asked & read.request.ready):
            m.d.sync += [asked.eq(0), pending.eq(1)]
        with m.If(comes):
            m.d.sync += [pending.eq(0), stale.eq(0)]
        with m.If(takes):
            m.d.sync += [
                row.eq(row >> _INDEX_BITS),
                row_left.eq(row_left - (row_left != 0)),
                left_less_one.eq(left_less_one - 1),
                active.eq(~last),
            ]
        with m.If(comes & ~stale):
            m.d.sync += [
                row.eq(read.response.payload),
                row_left.eq(per_row),
                row_number.eq(next_number),
                next_number.eq(next_number + 1),
            ]

        # s0: the index taken, multiplied from its least significant byte on, each byte's product
        # added in the next cycle; ``total`` is the sum without its bytes that are done
        s0_valid, s0_step = Signal(), Signal(range(_INDEX_BYTES))
        s0_index, s0_row = Signal(_INDEX_BITS - 8), Signal(LOCAL_BITS)
        s0_product = Signal(STRIDE_BITS + 8)
        s0_outside, s0_bad = Signal(), Signal()
        s0_low = Signal(_INDEX_BITS - 8)
        s0_total = Signal(max(self.address_bits, STRIDE_BITS + 8) + 1)
        total, ends, s1_free = Signal.like(s0_total), Signal(), Signal()
        m.d.comb += [
            takes.eq(active & ((row_left != 0) | outside) & (~s0_valid | ends)),
            total.eq(s0_total + s0_product),
            ends.eq(s0_valid & (s0_step == _INDEX_BYTES - 1) & s1_free),
        ]
        with m.If(s0_valid & (s0_step != _INDEX_BYTES - 1)):
            m.d.sync += [
                s0_step.eq(s0_step + 1),
                s0_index.eq(s0_index >> 8),
                s0_product.eq(s0_index[:8] * job.stride),
                s0_low.eq(Cat(s0_low, total[:8])[8:]),
                s0_total.eq(total >> 8),
            ]
        with m.If(ends):
            m.d.sync += s0_valid.eq(0)
        with m.If(takes):
            m.d.sync += [
                s0_valid.eq(1),
                s0_step.eq(0),
                s0_index.eq(row[8:_INDEX_BITS]),
                s0_product.eq(row[:8] * job.stride),
                s0_total.eq(job.base),
                s0_row.eq(Mux(row_left == 0, next_number, row_number)),
                s0_outside.eq(row_left == 0),
                s0_bad.eq(row[:_INDEX_BITS] >= job.limit),
            ]

        # s1: where the row begins
        s1_valid, s1_row, s1_outside, s1_bad = Signal(), Signal(LOCAL_BITS), Signal(), Signal()
        s1_address = Signal(len(s0_total) + len(s0_low))
        start = self.o.payload
        m.d.comb += [
            s1_free.eq(~s1_valid | self.o.ready),
            self.o.valid.eq(s1_valid),
            start.address.eq(Cat(s1_address[:space_bits], s1_address[space_bits:].any())),
            start.row.eq(s1_row),
            start.outside.eq(s1_outside),
            start.bad.eq(s1_bad),
        ]
        with m.If(s1_free):
            m.d.sync += s1_valid.eq(ends)
        with m.If(ends):
            m.d.sync += [
                s1_address.eq(Cat(s0_low, total)),
                s1_row.eq(s0_row),
                s1_outside.eq(s0_outside),
                s1_bad.eq(s0_bad),
            ]

        with m.If(self.start | self.clear):
            m.d.sync += [
                active.eq(self.start),
                row_left.eq(0),
                s0_valid.eq(0),
                s1_valid.eq(0),
                stale.eq((wants | asked | pending) & ~comes),
            ]
        with m.If(self.start):
            m.d.sync += [
                job.eq(self.job),
                left_less_one.eq(self.job.rows_less_one),
                next_number.eq(self.job.index_row),
            ]
        return m
