"""Reads the accumulator rows of a command, one a cycle, when all that the row needs is at hand.

A row is asked for only if there is room for what becomes of it (``depth`` output rows between here
and the scratchpad), the parameters of its block are fetched and its residual is granted; so nothing
behind ever stalls.

Throughput: INT8 one row a cycle, INT32 one every ``parameter_beats`` cycles; commands and blocks
follow each other without a bubble if their parameters are fetched. An INT32 command that follows
INT8 rows waits until they are written, because its rows leave the lanes earlier.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...isa import Status
from ...streams.level import count
from .task import RowControl, VectorTask, WriteTag, parameter_beats, unit_bits

__all__ = ["RowDrain"]


class RowDrain(wiring.Component):
    """Walks the accumulator rows of each task: block by block, row by row.

    A task with an error, or offered under ``stop``, gives one empty tag. Under ``stop`` a task in
    progress ends, once all is ``quiet``, with an empty tag that says aborted.

    Parameters
    ----------
    depth : int
        output rows that may be under way

    Members
    -------
    task : In(stream.Signature(VectorTask))
    stop, quiet : In(1)
    request : Out(stream.Signature(row))
        Of the accumulator's read port.
    granted : Out(1), row : Out(RowControl)
        A request was granted; what the lanes must know of it.
    tag_valid : Out(1), tag : Out(WriteTag)
        To the writer, in order; it always has room.
    begin : Out(1)
        A task was taken: the writer notes it.
    parameters_ready, residual_ahead : In(1)
    written : In(1)
        An output row was written.
    idle : Out(1)
        Under ``stop``: no row is under way and no request shows.
    active : Out(1)
        A task is in progress.
    """

    def __init__(self, config, *, depth):
        self.tile = config.tile
        self.depth = depth
        tile = config.tile
        super().__init__({
            "task": In(stream.Signature(VectorTask(tile))),
            "stop": In(1), "quiet": In(1),
            "request": Out(stream.Signature(unsigned(ceil_log2(tile.accumulator_rows)))),
            "granted": Out(1), "row": Out(RowControl(tile)),
            "tag_valid": Out(1), "tag": Out(WriteTag(tile)),
            "begin": Out(1),
            "parameters_ready": In(1), "residual_ahead": In(1), "written": In(1),
            "idle": Out(1), "active": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        beats = parameter_beats(tile)
        offered = self.task.payload

        task = Signal(VectorTask(tile))
        active = Signal()
        int32 = Signal()                            # of the last task begun
        acc_row, acc_block = Signal.like(offered.acc_row), Signal.like(offered.acc_row)
        out_row, out_block = Signal.like(offered.out_row), Signal.like(offered.out_row)
        m_left, blocks_left = Signal(16), Signal(16)
        first, wanting = Signal(), Signal()         # row of a block, with parameters
        block_ends, last_block = Signal(), Signal()     # m_left, blocks_left are zero
        single_row = Signal()                       # a block is one row
        alone = Signal()                            # wait for an empty pipeline
        pace = Signal(range(beats))                 # cycles until the lanes take another row
        paused = Signal()                           # there are some
        under_way = Signal(range(self.depth + 1))   # output rows
        empty, room_one, room_wide = Signal(init=1), Signal(init=1), Signal(init=1)

        ends = Signal()
        may, held, valid, granted = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            may.eq(active & Mux(int32, room_wide, room_one) & ~paused & ~(alone & ~empty)
                   & (self.parameters_ready | ~wanting)
                   & (self.residual_ahead | ~task.use_residual)),
            # a request once shown stays
            valid.eq(held | (may & ~self.stop)),
            granted.eq(valid & self.request.ready),
            self.request.valid.eq(valid), self.request.payload.eq(acc_row),
            ends.eq(block_ends & last_block),
            self.granted.eq(granted),
            self.idle.eq(~held & empty), self.active.eq(active),
            self.row.first.eq(first), self.row.int32.eq(int32),
            self.row.use_bias.eq(task.use_bias), self.row.use_residual.eq(task.use_residual),
            self.row.columns_less_one.eq(Mux(last_block, task.tail_less_one, tile.array_cols - 1)),
            self.row.zero_point.eq(task.zero_point),
            self.row.clamp_min.eq(task.clamp_min), self.row.clamp_max.eq(task.clamp_max),
        ]

        count(m, under_way, up=granted, by=Mux(int32, beats, 1), down=self.written, flags=[
            (empty, lambda rows: rows == 0),
            (room_one, lambda rows: rows != self.depth),
            (room_wide, lambda rows: rows <= self.depth - beats),
        ])
        m.d.sync += held.eq(valid & ~self.request.ready)
        with m.If(granted & int32):
            m.d.sync += [pace.eq(beats - 1), paused.eq(1)]
        with m.Elif(paused):
            m.d.sync += [pace.eq(pace - 1), paused.eq(pace != 1)]

        # --- the walk. Where a task may begin, the registers take what is offered, be it a task or
        # not, so that they wait for nothing but the grant
        wide = beats << unit_bits(tile)     # int8 units
        begins = ~active | ends
        with m.If(~active | granted):
            m.d.sync += [
                first.eq(begins | block_ends), alone.eq(begins & offered.int32 & ~int32),
                wanting.eq(Mux(begins, offered.use_bias | ~offered.int32,
                               block_ends & (task.use_bias | ~int32))),
                m_left.eq(m_left - 1), block_ends.eq(m_left == 1),
                acc_row.eq(acc_row + 1), out_row.eq(out_row + task.out_stride),
            ]
            with m.If(block_ends):
                m.d.sync += [
                    m_left.eq(task.m_less_one), block_ends.eq(single_row),
                    blocks_left.eq(blocks_left - 1), last_block.eq(blocks_left == 1),
                    acc_row.eq(acc_block), acc_block.eq(acc_block + task.acc_stride),
                    out_row.eq(out_block), out_block.eq(out_block + Mux(int32, wide, 1)),
                ]
            with m.If(begins):
                m.d.sync += [
                    m_left.eq(offered.m_less_one), block_ends.eq(offered.m_less_one == 0),
                    blocks_left.eq(offered.blocks_less_one),
                    last_block.eq(offered.blocks_less_one == 0),
                    acc_row.eq(offered.acc_row), acc_block.eq(offered.acc_row + offered.acc_stride),
                    out_row.eq(offered.out_row),
                    out_block.eq(offered.out_row + Mux(offered.int32, wide, 1)),
                ]

        with m.If(~active | (granted & ends)):
            m.d.sync += [task.eq(offered), single_row.eq(offered.m_less_one == 0)]

        # --- tasks
        good, taken, refused, cut = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            good.eq((offered.status == Status.OK) & ~self.stop),
            # one without rows needs the cycle's tag for itself
            self.task.ready.eq(Mux(
                self.stop, ~active & self.quiet,
                ~active | (granted & ends & (offered.status == Status.OK)))),
            taken.eq(self.task.valid & self.task.ready),
            self.begin.eq(taken),
            # a task that is taken without being good: nothing is granted in that cycle
            refused.eq(self.task.valid & ~active
                       & Mux(self.stop, self.quiet, offered.status != Status.OK)),
            cut.eq(active & self.stop & self.quiet),
            self.tag_valid.eq(granted | cut | refused),
            self.tag.row.eq(out_row), self.tag.int32.eq(int32),
            self.tag.empty.eq(~granted), self.tag.aborted.eq(~granted & self.stop),
            self.tag.last.eq(~granted | ends),
        ]
        with m.If(taken & good):
            m.d.sync += [active.eq(1), int32.eq(offered.int32)]
        with m.Elif(cut | (granted & ends)):
            m.d.sync += active.eq(0)
        return m
