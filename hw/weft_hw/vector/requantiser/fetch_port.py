"""The engine's scratchpad read port, shared by parameters and residuals.

A request goes through a register, so that what the port shows holds until it is granted, whatever
its owner does next. Parameters come first: a block cannot start without them.

Latency: ``take`` in cycle t, request from t + 1. Throughput: one request a cycle.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...memory.port import READ_LATENCY, ReadPort
from .task import FetchTag, unit_bits

__all__ = ["FetchPort"]


class FetchPort(wiring.Component):
    """Two users, one port.

    Members
    -------
    want_parameter, want_residual : In(1)
    parameter_row, residual_row : In(row), parameter_tag : In(FetchTag)
        A read someone would like; may be withdrawn.
    take_parameter, take_residual : Out(1)
        It will be done.
    granted_residual : Out(1)
        A residual's request was granted: its data comes in two cycles.
    response_valid : Out(1), response_tag : Out(FetchTag)
        What the port's response is.
    idle : Out(1)
        No request shows and no response is under way.
    read : Out(ReadPort)
    """

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        row, tag = ceil_log2(tile.scratchpad_rows), FetchTag(tile)
        super().__init__({
            "want_parameter": In(1), "parameter_row": In(row), "parameter_tag": In(tag),
            "want_residual": In(1), "residual_row": In(row + unit_bits(tile)),
            "take_parameter": Out(1), "take_residual": Out(1), "granted_residual": Out(1),
            "response_valid": Out(1), "response_tag": Out(tag),
            "idle": Out(1),
            "read": Out(ReadPort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)),
        })

    def elaborate(self, platform):
        m = Module()
        request = self.read.request
        valid, row = Signal(), Signal.like(self.parameter_row)
        tag = Signal(FetchTag(self.tile))
        free, granted = Signal(), Signal()
        m.d.comb += [
            request.valid.eq(valid), request.payload.eq(row),
            granted.eq(valid & request.ready),
            free.eq(~valid | request.ready),
            self.take_parameter.eq(free & self.want_parameter),
            self.take_residual.eq(free & self.want_residual & ~self.want_parameter),
            self.granted_residual.eq(granted & tag.residual),
        ]
        bits = unit_bits(self.tile)
        with m.If(free):
            m.d.sync += [
                valid.eq(self.want_parameter | self.want_residual),
                row.eq(self.residual_row[bits:]), tag.as_value().eq(0),
                tag.residual.eq(1), tag.part.eq(self.residual_row[:bits]),
            ]
            with m.If(self.want_parameter):
                m.d.sync += [row.eq(self.parameter_row), tag.eq(self.parameter_tag)]

        # the response comes a fixed time after the grant
        busy = [valid]
        stage_valid, stage_tag = granted, tag
        for stage in range(READ_LATENCY):
            next_valid = Signal(name=f"valid_{stage}")
            next_tag = Signal(FetchTag(self.tile), name=f"tag_{stage}")
            m.d.sync += [next_valid.eq(stage_valid), next_tag.eq(stage_tag)]
            stage_valid, stage_tag = next_valid, next_tag
            busy.append(next_valid)
        idle = ~busy[0]
        for flag in busy[1:]:
            idle = idle & ~flag
        m.d.comb += [
            self.response_valid.eq(stage_valid), self.response_tag.eq(stage_tag),
            self.idle.eq(idle),
        ]
        return m
