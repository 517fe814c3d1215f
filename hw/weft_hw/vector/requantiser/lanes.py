"""The lanes and the control that runs beside the rows in them.

Cycle 0 is the grant of an accumulator row; ``c<i>`` holds its control in cycle i::

    1 bias copied | 2 accumulators come | 3 sum | 5 scale copied | 6 multiply |
    11 zero point, residual | 12 clamp | 13 result

INT8 results leave as one output row in cycle 13; INT32 sums as ``parameter_beats`` output rows from
cycle 3 on. Nothing here stalls: whoever asks for a row has room for it.

Latency: grant to output row ``LATENCY`` = 13 cycles (INT8), 3 (INT32, to its first).
Throughput: one row a cycle (INT8), one every ``parameter_beats`` cycles (INT32).
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...memory.port import READ_LATENCY
from ...shared import share
from .lane import VectorLane
from .task import RowControl, parameter_beats, unit_bits

__all__ = ["VectorLanes"]

_SUM_AT = READ_LATENCY + 1
_SCALE_AT = READ_LATENCY + VectorLane.SCALE_AT
_FINISH_AT = READ_LATENCY + VectorLane.FINISH_AT


def _holds(row, column):
    """Whether the row has that column: the first it always has."""
    return row.columns_less_one >= column if column else Const(1, 1)


class VectorLanes(wiring.Component):
    """``array_cols`` lanes.

    Members
    -------
    granted : In(1), row : In(RowControl)
        An accumulator row was granted.
    accumulators : In(32 * C)
        Two cycles later.
    bias, scale : In(32 * C)
        The shadow, complete when the first row of a block is granted.
    scale_free : Out(1)
        A scale that arrives in four cycles from now or later does not disturb the copy.
    residual : In(8 * C), pop : Out(1)
        Residual of the row that needs it now.
    o_valid : Out(1), o : Out(row data)
        Output rows, in order.
    """

    LATENCY = READ_LATENCY + VectorLane.LATENCY

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        lanes = tile.array_cols
        super().__init__({
            "granted": In(1), "row": In(RowControl(tile)),
            "accumulators": In(32 * lanes),
            "bias": In(32 * lanes), "scale": In(32 * lanes), "scale_free": Out(1),
            "residual": In(8 * lanes), "pop": Out(1),
            "o_valid": Out(1), "o": Out(8 * tile.row_bytes),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        columns, beats, width = tile.array_cols, parameter_beats(tile), 8 * tile.row_bytes

        # --- control: valid[i] and control[i] belong to cycle i of a row
        valid, control = [self.granted], [self.row]
        for stage in range(1, self.LATENCY + 1):
            valid.append(Signal(name=f"c{stage}_valid"))
            control.append(Signal(RowControl(tile), name=f"c{stage}"))
            m.d.sync += [valid[stage].eq(valid[stage - 1]), control[stage].eq(control[stage - 1])]
        int8 = [flag & ~row.int32 for flag, row in zip(valid, control, strict=True)]
        # some row is between its sum and its result
        moving = Signal()
        m.d.sync += moving.eq(Cat(int8[_SUM_AT - 1:self.LATENCY - 1]).any())

        # --- parameters of the block in the lanes
        bias, scale = Signal.like(self.bias), Signal.like(self.scale)
        with m.If(valid[1] & control[1].first):
            m.d.sync += bias.eq(Mux(control[1].use_bias, self.bias, 0))
        with m.If(int8[_SCALE_AT - 1] & control[_SCALE_AT - 1].first):
            m.d.sync += scale.eq(self.scale)
        m.d.comb += self.scale_free.eq(int8[_SCALE_AT - 4] & control[_SCALE_AT - 4].first)

        # --- lanes
        arrive, finish, clamp = control[READ_LATENCY], control[_FINISH_AT], control[_FINISH_AT + 1]
        residual = Signal(8 * columns)
        m.d.comb += [
            residual.eq(Mux(finish.use_residual, self.residual, 0)),
            self.pop.eq(int8[_FINISH_AT] & finish.use_residual),
        ]
        sums, results = [], []
        for column in range(columns):
            lane = VectorLane()
            m.submodules[f"lane_{column}"] = share(lane)
            word, byte = slice(32 * column, 32 * column + 32), slice(8 * column, 8 * column + 8)
            m.d.comb += [
                lane.take.eq(valid[READ_LATENCY]),
                lane.keep_sum.eq(_holds(arrive, column)),
                lane.enable.eq(moving),
                lane.accumulator.eq(self.accumulators[word].as_signed()),
                lane.bias.eq(bias[word].as_signed()),
                lane.scale.eq(scale[word]),
                lane.zero_point.eq(finish.zero_point),
                lane.residual.eq(residual[byte].as_signed()),
                lane.clamp_min.eq(clamp.clamp_min), lane.clamp_max.eq(clamp.clamp_max),
                lane.keep.eq(_holds(clamp, column)),
            ]
            sums.append(lane.sum)
            results.append(lane.result)

        # --- output rows: the sums stay in the lanes while they are written out in parts
        part = Signal(range(beats))
        parts_left = Signal()
        starts = valid[_SUM_AT] & control[_SUM_AT].int32
        words = Cat(sums)
        m.d.comb += [
            parts_left.eq(part != 0),
            self.o_valid.eq(int8[self.LATENCY] | starts | parts_left),
            # the writer chooses the unit of the row
            self.o.eq(Cat(results).replicate(1 << unit_bits(tile))),
        ]
        with m.If(starts | parts_left):
            m.d.comb += self.o.eq(words.word_select(part, width))
            m.d.sync += part.eq(Mux(part == beats - 1, 0, part + 1))
        return m
