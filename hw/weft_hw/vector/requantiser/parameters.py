"""Fetches bias and scale of a block while the block before it streams.

``bias`` and ``scale`` are the *shadow*: complete while ``ready``. The lanes copy the bias in the
cycle after the block's first accumulator was granted and the scale a few cycles later; the fetch
for the next block, of this command or the next, starts at once and keeps clear of the copies.

Latency: ``consume`` in cycle t and ``k`` rows to fetch without refusal, ``ready`` again in t + k +
4 (t + k + 6 if they are scales only).
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .task import FetchTag, VectorTask, parameter_beats

__all__ = ["ParameterFetch"]


class ParameterFetch(wiring.Component):
    """Walks the blocks of each task: bias rows (if used), then scale rows (unless int32).

    Only rows that hold a parameter of the command are read. Lanes beyond N keep whatever was there:
    the lanes' mask makes them zero in the end.

    Members
    -------
    task : In(stream.Signature(VectorTask))
    stop : In(1)
        Forget everything; tasks offered meanwhile are dropped.
    want, row, tag : Out; take : In(1)
        To the fetch port.
    response_valid : In(1), response_tag : In(FetchTag), response : In(row data)
        From it.
    ready : Out(1)
        The shadow is that of the next block.
    consume : In(1)
        The first accumulator of a block with parameters was granted.
    consume_scale : In(1)
        With ``consume``: the block uses the scale.
    scale_free : In(1)
        The lanes will have copied the scale before a row taken from the next cycle on arrives.
    bias, scale : Out(32 * C)
    """

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        super().__init__({
            "task": In(stream.Signature(VectorTask(tile))),
            "stop": In(1),
            "want": Out(1), "row": Out(ceil_log2(tile.scratchpad_rows)), "tag": Out(FetchTag(tile)),
            "take": In(1),
            "response_valid": In(1), "response_tag": In(FetchTag(tile)),
            "response": In(8 * tile.row_bytes),
            "ready": Out(1), "consume": In(1), "consume_scale": In(1), "scale_free": In(1),
            "bias": Out(32 * tile.array_cols), "scale": Out(32 * tile.array_cols),
        })

    def elaborate(self, platform):
        m = Module()
        beats, width = parameter_beats(self.tile), 8 * self.tile.row_bytes
        task = self.task.payload
        active, filled, ready, scale_busy = Signal(), Signal(), Signal(), Signal()
        on_scale = Signal()
        use_bias, use_scale = Signal(), Signal()
        bias_row, scale_row = Signal.like(self.row), Signal.like(self.row)
        # rows not asked for yet in all, less one: of the bias, of the scale
        bias_left, scale_left = Signal.like(self.row), Signal.like(self.row)
        beat = Signal(range(beats))

        left = Mux(on_scale, scale_left, bias_left)
        part_ends, block_ends, task_ends = Signal(), Signal(), Signal()
        m.d.comb += [
            part_ends.eq((beat == beats - 1) | (left == 0)),
            block_ends.eq(part_ends & (on_scale | ~use_scale)),
            task_ends.eq(block_ends & (left == 0)),
            self.want.eq(active & ~filled & ~(on_scale & scale_busy) & ~self.stop),
            self.row.eq(Mux(on_scale, scale_row, bias_row)),
            self.tag.residual.eq(0), self.tag.scale.eq(on_scale), self.tag.beat.eq(beat),
            self.tag.last.eq(block_ends),
            self.task.ready.eq(~active),
            self.ready.eq(ready),
        ]
        with m.If(self.task.valid & self.task.ready):
            m.d.sync += [
                active.eq(1), on_scale.eq(~task.use_bias), beat.eq(0),
                use_bias.eq(task.use_bias), use_scale.eq(~task.int32),
                bias_row.eq(task.bias_row), scale_row.eq(task.scale_row),
                bias_left.eq(task.parameter_rows_less_one),
                scale_left.eq(task.parameter_rows_less_one),
            ]
        with m.If(self.take):
            m.d.sync += beat.eq(Mux(part_ends, 0, beat + 1))
            with m.If(on_scale):
                m.d.sync += [scale_row.eq(scale_row + 1), scale_left.eq(scale_left - 1)]
            with m.Else():
                m.d.sync += [bias_row.eq(bias_row + 1), bias_left.eq(bias_left - 1)]
            with m.If(block_ends):
                m.d.sync += [filled.eq(1), on_scale.eq(~use_bias), active.eq(~task_ends)]
            with m.Elif(part_ends):
                m.d.sync += on_scale.eq(1)

        # --- the shadow
        with m.If(self.response_valid & ~self.response_tag.residual):
            with m.Switch(self.response_tag.beat):
                for part in range(beats):
                    with m.Case(part):
                        lanes = slice(part * width, part * width + width)
                        with m.If(self.response_tag.scale):
                            m.d.sync += self.scale[lanes].eq(self.response)
                        with m.Else():
                            m.d.sync += self.bias[lanes].eq(self.response)
            with m.If(self.response_tag.last):
                m.d.sync += ready.eq(1)
        with m.If(self.scale_free):
            m.d.sync += scale_busy.eq(0)
        with m.If(self.consume):
            m.d.sync += [ready.eq(0), filled.eq(0)]
            with m.If(self.consume_scale):
                m.d.sync += scale_busy.eq(1)
        # also of a task taken in this cycle
        with m.If(self.stop):
            m.d.sync += [active.eq(0), filled.eq(0), ready.eq(0)]
        return m
