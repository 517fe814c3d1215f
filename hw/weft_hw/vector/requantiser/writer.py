"""Writes output rows to the scratchpad and ends commands.

Rows and their tags come separately: the tag when the accumulator is read, the row when the lanes
are through with it. Both queues are as deep as what may be under way, so that neither ever refuses.

Latency: row to request 2 cycles; last write of a command accepted in cycle t, ``done`` from t + 1.
Throughput: one row a cycle.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...axi.queue import Queue
from ...isa import Status
from ...memory.port import WritePort
from ...tile.engine import Done
from .task import VectorTask, WriteTag, parameter_beats, unit_bits

__all__ = ["RowWriter"]


class RowWriter(wiring.Component):
    """Pairs rows with tags.

    Parameters
    ----------
    depth : int
        output rows that may be under way
    commands : int
        commands that may be inside

    Members
    -------
    begin : In(1), task : In(VectorTask)
        A command began in the cycle before; its tags come from then on, the last of them marked.
    tag_valid : In(1), tag : In(WriteTag)
    i_valid : In(1), i : In(row data)
    written : Out(1)
        A row was written.
    write : Out(WritePort)
    done : Out(stream.Signature(Done))
    """

    def __init__(self, config, *, depth, commands):
        self.config = config
        self.depth = depth
        self.commands = commands
        tile = config.tile
        super().__init__({
            "begin": In(1), "task": In(VectorTask(tile)),
            "tag_valid": In(1), "tag": In(WriteTag(tile)),
            "i_valid": In(1), "i": In(8 * tile.row_bytes),
            "written": Out(1),
            "write": Out(WritePort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes,
                                   parts=tile.write_parts)),
            "done": Out(stream.Signature(Done(address_bits=config.host.address_bits))),
        })

    def elaborate(self, platform):
        m = Module()
        tile, layout = self.config.tile, Done(address_bits=self.config.host.address_bits)
        # the output register of a queue, which is not always filled, is not counted
        m.submodules.tags = tags = Queue(WriteTag(tile), depth=self.depth + self.commands,
                                         register=True)
        m.submodules.rows = rows = Queue(unsigned(8 * tile.row_bytes), depth=self.depth,
                                         register=True)
        m.submodules.ends = ends = Queue(layout, depth=self.commands)

        end = Signal(layout)
        m.d.comb += [
            end.index.eq(self.task.index), end.signal.eq(self.task.signal),
            end.status.eq(self.task.status), end.address.eq(self.task.fault_row),
            ends.i.valid.eq(self.begin), ends.i.payload.eq(end),
            tags.i.valid.eq(self.tag_valid), tags.i.payload.eq(self.tag),
            rows.i.valid.eq(self.i_valid), rows.i.payload.eq(self.i),
        ]

        tag = tags.o.payload
        bits, last_part = unit_bits(tile), parameter_beats(tile) - 1
        part = Signal(range(last_part + 1))
        continues, last = Signal(), Signal()    # ``part`` is not the first, is the last
        next_row = Signal.like(self.write.request.payload.row)
        request = self.write.request
        done_valid, done = Signal(), Signal(layout)
        whole, finish = Signal(), Signal()
        m.d.comb += [
            whole.eq(~tag.int32 | last),
            request.valid.eq(tags.o.valid & rows.o.valid & ~tag.empty
                             & ~(tag.last & whole & done_valid)),
            request.payload.row.eq(Mux(continues, next_row, tag.row[bits:])),
            request.payload.data.eq(rows.o.payload),
            self.written.eq(request.valid & request.ready),
            rows.o.ready.eq(self.written),
            tags.o.ready.eq(Mux(tag.empty, ~done_valid, self.written & whole)),
            finish.eq(tags.o.valid & tags.o.ready & tag.last),
            ends.o.ready.eq(finish),
            self.done.valid.eq(done_valid), self.done.payload.eq(done),
        ]
        if tile.write_parts > 1:
            unit = tile.write_parts >> bits
            one = ((1 << unit) - 1) << (tag.row[:bits] * unit)
            m.d.comb += request.payload.mask.eq(Mux(tag.int32, -1, one))
        with m.If(self.written):
            m.d.sync += next_row.eq(request.payload.row + 1)
            with m.If(tag.int32):
                m.d.sync += [part.eq(Mux(last, 0, part + 1)), continues.eq(~last),
                             last.eq(part == last_part - 1)]
        with m.If(finish):
            m.d.sync += done_valid.eq(1)
        with m.Elif(self.done.ready):
            m.d.sync += done_valid.eq(0)
        # the end of the command that is being written: there before it finishes
        with m.If(~done_valid):
            m.d.sync += done.eq(ends.o.payload)
            with m.If(tag.aborted):
                m.d.sync += [done.status.eq(Status.ABORTED), done.address.eq(0)]
        return m
