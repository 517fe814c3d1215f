"""What a tensor walk adds to the address generator: padding, gathers, strips of a transposition.

Each adds its registers to the stages s0 and s1 of ``pattern.Pattern``, which move with ``moves``
and ``s1_moves``; with ``free`` a walk comes into s0.
"""

from amaranth.hdl import Signal
from amaranth.lib import wiring

from ..streams.link import link
from .gather import GatherRows
from .nest import Axis

__all__ = ["add_gather", "add_padding", "add_strips"]


def add_padding(m, walk, access, ends, moves, free, s1_moves):
    """Which accesses fill, and where memory addresses wrap."""
    # loops by level: 1 rows, 2 and 3 and 4 the outer ones
    x = Axis("x", inner=1, outer=3, bits=21)
    y = Axis("y", inner=2, outer=4, bits=16)
    s0_padded, s0_fill, s0_value = Signal(), Signal(), Signal(32)
    s1_fill, s1_value = Signal(), Signal(32)
    fills, wraps = Signal(), Signal()
    m.d.comb += [
        fills.eq(s0_fill | (s0_padded & ~(x.inside() & y.inside()))),
        wraps.eq(ends[0] & (ends[1] | s0_padded)),
        access.fill.eq(s1_fill),
        access.value.eq(s1_value),
    ]
    with m.If(s1_moves):
        m.d.sync += [s1_fill.eq(fills), s1_value.eq(s0_value)]
    with m.If(moves):
        with m.If(free):
            m.d.sync += [
                s0_padded.eq(walk.padded),
                s0_fill.eq(walk.fill),
                s0_value.eq(walk.value),
                x.load(walk.pad_x, walk.step_x, walk.dilation_x, walk.width),
                y.load(walk.pad_y, walk.step_y, walk.dilation_y, walk.height),
            ]
        with m.Else():
            x.step(m, ends)
            y.step(m, ends)
    return fills, wraps


def add_gather(m, pattern, ends, moves, free, enters, waits, here):
    """Lets each row of a gather begin where its index says; the ``RowStart`` in hand."""
    walk = pattern.walk.payload
    m.submodules.gather = gather = GatherRows(pattern.config, address_bits=len(walk.address))
    link(m, gather.indices, wiring.flipped(pattern.indices))
    s0_gather, s0_needs, begins = Signal(), Signal(), Signal()
    s0_start = Signal(gather.o.payload.shape())
    m.d.comb += [
        gather.start.eq(enters & walk.gather),
        gather.clear.eq(pattern.ended),
        gather.job.base.eq(walk.address),
        gather.job.stride.eq(walk.stride),
        gather.job.rows_less_one.eq(walk.rows_less_one),
        gather.job.index_row.eq(walk.value),
        gather.job.limit.eq(walk.memory_stride_1),
        gather.o.ready.eq(s0_needs),
        begins.eq(gather.o.valid & gather.o.ready),
        waits.eq(s0_needs & ~pattern.stop),
    ]
    with m.If(begins):
        m.d.sync += [
            s0_needs.eq(0),
            s0_start.eq(gather.o.payload),
            here.eq(gather.o.payload.address),
        ]
    with m.If(moves):
        with m.If(free):
            m.d.sync += [
                s0_gather.eq(walk.gather),
                s0_needs.eq(walk.gather),
                s0_start.outside.eq(0),
                s0_start.bad.eq(0),
            ]
        with m.Else():
            m.d.sync += s0_needs.eq(s0_gather & ends[0])
    return s0_start


def add_strips(m, walk, access, rows, moves, free, s1_moves, s0_strip, s0_begun):
    """What the load engine has to know of a row of a strip."""
    s0_transpose, s0_column_stride = Signal(2), Signal.like(access.column_stride)
    s1_transpose, s1_strip_ends = Signal(2), Signal()
    s1_column_stride = Signal.like(access.column_stride)
    m.d.comb += [
        s0_strip.eq(s0_transpose != 0),
        access.transpose.eq(s1_transpose),
        access.strip_ends.eq(s1_strip_ends),
        access.column_stride.eq(s1_column_stride),
    ]
    with m.If(s1_moves):
        m.d.sync += [
            s1_transpose.eq(s0_transpose),
            s1_strip_ends.eq(rows.last),
            s1_column_stride.eq(s0_column_stride),
        ]
    with m.If(moves):
        m.d.sync += s0_begun.eq(s0_strip & ~free)
        with m.If(free):
            # the loops outside rows are not used
            m.d.sync += [
                s0_transpose.eq(walk.transpose), s0_column_stride.eq(walk.local_stride_1)]
