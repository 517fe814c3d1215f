"""Writes output rows to the scratchpad and ends commands.

Rows and their tags come separately: the tag when the accumulator is read, the row when the lanes
are through with it. Both queues are as deep as what may be under way, so that neither ever refuses.

Latency: row to request 2 cycles; last write of a command accepted in cycle t, ``done`` from t + 1.
Throughput: one row a cycle.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

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
        A command begins; its tags follow, the last of them marked.
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
        # one more than can be inside: its output register is not always filled
        m.submodules.tags = tags = SyncFIFOBuffered(width=WriteTag(tile).size,
                                                    depth=self.depth + self.commands + 1)
        m.submodules.rows = rows = SyncFIFOBuffered(width=8 * tile.row_bytes, depth=self.depth + 1)
        m.submodules.ends = ends = SyncFIFOBuffered(width=layout.size, depth=self.commands + 1)

        end = Signal(layout)
        m.d.comb += [
            end.index.eq(self.task.index), end.signal.eq(self.task.signal),
            end.status.eq(self.task.status), end.address.eq(self.task.fault_row),
            ends.w_en.eq(self.begin), ends.w_data.eq(end),
            tags.w_en.eq(self.tag_valid), tags.w_data.eq(self.tag),
            rows.w_en.eq(self.i_valid), rows.w_data.eq(self.i),
        ]

        tag, oldest = WriteTag(tile)(tags.r_data), layout(ends.r_data)
        bits = unit_bits(tile)
        part = Signal(range(parameter_beats(tile)))
        request = self.write.request
        done_valid, done = Signal(), Signal(layout)
        whole, finish = Signal(), Signal()
        m.d.comb += [
            whole.eq(~tag.int32 | (part == parameter_beats(tile) - 1)),
            request.valid.eq(tags.r_rdy & rows.r_rdy & ~tag.empty
                             & ~(tag.last & whole & done_valid)),
            request.payload.row.eq(tag.row[bits:] + part), request.payload.data.eq(rows.r_data),
            self.written.eq(request.valid & request.ready),
            rows.r_en.eq(self.written),
            tags.r_en.eq(Mux(tag.empty, ~done_valid, self.written & whole)),
            finish.eq(tags.r_rdy & tags.r_en & tag.last),
            ends.r_en.eq(finish),
            self.done.valid.eq(done_valid), self.done.payload.eq(done),
        ]
        if tile.write_parts > 1:
            unit = tile.write_parts >> bits
            one = ((1 << unit) - 1) << (tag.row[:bits] * unit)
            m.d.comb += request.payload.mask.eq(Mux(tag.int32, -1, one))
        with m.If(self.written & tag.int32):
            m.d.sync += part.eq(Mux(whole, 0, part + 1))
        with m.If(done_valid & self.done.ready):
            m.d.sync += done_valid.eq(0)
        with m.If(finish):
            m.d.sync += [done_valid.eq(1), done.eq(oldest)]
            with m.If(tag.aborted):
                m.d.sync += [done.status.eq(Status.ABORTED), done.address.eq(0)]
        return m
