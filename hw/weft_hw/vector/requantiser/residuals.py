"""Fetches residual rows ahead of the accumulator rows they are added to.

An accumulator row may be asked for as soon as its residual's request is granted (``ahead``): the
residual then waits in the queue when the row reaches the end of the lanes.

Throughput: one row a cycle, as the scratchpad's read port allows; at most ``DEPTH`` rows ahead.
"""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from ...streams.level import count
from .task import VectorTask, unit_bits

__all__ = ["ResidualFetch"]


class ResidualFetch(wiring.Component):
    """Walks the residual rows of each task: block by block, row by row.

    Members
    -------
    task : In(stream.Signature(VectorTask))
    stop : In(1)
        Ask for nothing more and forget the task; tasks offered meanwhile are dropped.
    clear : In(1)
        Forget the rows fetched.
    want, row : Out (an int8 unit); take, granted : In(1)
        To the fetch port.
    response_valid, response_part : In, response : In(row data)
        From it.
    ahead : Out(1)
        The residual of the next accumulator row has been granted.
    consume : In(1)
        An accumulator row with residual was granted.
    pop : In(1)
        ``data`` has been used.
    data : Out(8 * C)
    """

    #: Rows asked for and not used: more than the cycles from asking to use, so that rows flow.
    DEPTH = 20

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        super().__init__({
            "task": In(stream.Signature(VectorTask(tile))),
            "stop": In(1), "clear": In(1),
            "want": Out(1), "row": Out(VectorTask(tile)["residual_row"].shape),
            "take": In(1), "granted": In(1),
            "response_valid": In(1), "response_part": In(max(unit_bits(tile), 1)),
            "response": In(8 * tile.row_bytes),
            "ahead": Out(1), "consume": In(1), "pop": In(1), "data": Out(8 * tile.array_cols),
        })

    def elaborate(self, platform):
        m = Module()
        width = 8 * self.tile.array_cols
        fifo = SyncFIFOBuffered(width=width, depth=self.DEPTH + 1)
        m.submodules.fifo = ResetInserter(self.clear)(fifo)
        task = self.task.payload
        active = Signal()
        row, block_row, stride = Signal.like(self.row), Signal.like(self.row), Signal.like(self.row)
        m_less_one, m_left, blocks_left = Signal(16), Signal(16), Signal(16)
        block_ends, last_block = Signal(), Signal()     # m_left, blocks_left are zero
        single_row = Signal()                           # a block is one row
        inside, ahead = Signal(range(self.DEPTH + 1)), Signal(range(self.DEPTH + 1))
        room, some_ahead = Signal(init=1), Signal()
        m.d.comb += [
            self.want.eq(active & room & ~self.stop),
            self.row.eq(row),
            self.task.ready.eq(~active),
            self.ahead.eq(some_ahead),
            fifo.w_en.eq(self.response_valid), fifo.w_data.eq(
                self.response.word_select(self.response_part, width)),
            fifo.r_en.eq(self.pop), self.data.eq(fifo.r_data),
        ]
        count(m, inside, up=self.take, down=self.pop,
              flags=[(room, lambda rows: rows != self.DEPTH)])
        count(m, ahead, up=self.granted, down=self.consume,
              flags=[(some_ahead, lambda rows: rows != 0)])

        # without a task the walk takes what is offered, so that it waits for nothing but ``take``
        with m.If(~active | self.take):
            m.d.sync += [row.eq(row + stride), m_left.eq(m_left - 1), block_ends.eq(m_left == 1)]
            with m.If(block_ends):
                m.d.sync += [
                    row.eq(block_row), block_row.eq(block_row + 1),
                    m_left.eq(m_less_one), block_ends.eq(single_row),
                    blocks_left.eq(blocks_left - 1), last_block.eq(blocks_left == 1),
                ]
            with m.If(~active):
                m.d.sync += [
                    row.eq(task.residual_row), block_row.eq(task.residual_row + 1),
                    stride.eq(task.residual_stride),
                    m_less_one.eq(task.m_less_one), single_row.eq(task.m_less_one == 0),
                    m_left.eq(task.m_less_one), block_ends.eq(task.m_less_one == 0),
                    blocks_left.eq(task.blocks_less_one), last_block.eq(task.blocks_less_one == 0),
                ]
        with m.If(self.task.valid & self.task.ready):
            m.d.sync += active.eq(1)
        with m.Elif(self.take & block_ends & last_block):
            m.d.sync += active.eq(0)
        # also of a task taken in this cycle
        with m.If(self.stop):
            m.d.sync += active.eq(0)
        with m.If(self.clear):
            m.d.sync += [inside.eq(0), room.eq(1), ahead.eq(0), some_ahead.eq(0)]
        return m
