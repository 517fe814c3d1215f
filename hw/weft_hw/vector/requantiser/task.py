"""A vector command after its checks, and what travels with its rows through the engine."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from amaranth.utils import ceil_log2

from ...formats.table import Format, units_per_row, units_per_vector
from ...isa import Status

__all__ = ["FetchTag", "RowControl", "VectorTask", "WriteTag", "parameter_beats", "unit_bits"]


def parameter_beats(tile) -> int:
    """Scratchpad rows that ``array_cols`` values of 32 bits fill."""
    return units_per_vector(tile, Format.INT32)


def unit_bits(tile) -> int:
    """Bits of an int8 unit's number in its scratchpad row: 0 where int8 is the widest format."""
    return ceil_log2(units_per_row(tile, Format.INT8))


class VectorTask(data.StructLayout):
    """A checked command. Rows and strides are cut to the width of the memory, which holds them.
    Output and residual count int8 units, also for INT32, whose rows are whole ones.
    """

    def __init__(self, tile):
        row = unsigned(ceil_log2(tile.scratchpad_rows))
        unit = unsigned(row.width + unit_bits(tile))
        acc = unsigned(ceil_log2(tile.accumulator_rows))
        super().__init__({
            "index": unsigned(32),
            "signal": unsigned(16),
            "status": Status,
            "fault_row": unsigned(32),
            "m_less_one": unsigned(16),
            "blocks_less_one": unsigned(16),
            # columns of the last block
            "tail_less_one": unsigned(ceil_log2(tile.array_cols)),
            "parameter_rows_less_one": row,
            "acc_row": acc, "acc_stride": acc,
            "out_row": unit, "out_stride": unit,
            "bias_row": row, "scale_row": row,
            "residual_row": unit, "residual_stride": unit,
            "zero_point": signed(8), "clamp_min": signed(8), "clamp_max": signed(8),
            "int32": unsigned(1), "use_bias": unsigned(1), "use_residual": unsigned(1),
        })


class RowControl(data.StructLayout):
    """What the lanes must know of an accumulator row. ``first`` marks the first row of a block."""

    def __init__(self, tile):
        super().__init__({
            "first": unsigned(1),
            "int32": unsigned(1), "use_bias": unsigned(1), "use_residual": unsigned(1),
            "columns_less_one": unsigned(ceil_log2(tile.array_cols)),
            "zero_point": signed(8), "clamp_min": signed(8), "clamp_max": signed(8),
        })


class WriteTag(data.StructLayout):
    """Where an accumulator row goes, an int8 unit. An ``empty`` one writes nothing; ``last`` ends
    the command."""

    def __init__(self, tile):
        super().__init__({
            "row": unsigned(ceil_log2(tile.scratchpad_rows) + unit_bits(tile)),
            "int32": unsigned(1), "empty": unsigned(1), "last": unsigned(1), "aborted": unsigned(1),
        })


class FetchTag(data.StructLayout):
    """What a scratchpad row read by the engine is: a residual (the unit ``part`` of a row), or part
    ``beat`` of bias or scale; ``last`` completes the parameters of a block."""

    def __init__(self, tile):
        super().__init__({
            "residual": unsigned(1), "scale": unsigned(1), "last": unsigned(1),
            "beat": unsigned(ceil_log2(parameter_beats(tile))),
            "part": unsigned(max(unit_bits(tile), 1)),
        })
