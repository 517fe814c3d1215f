"""The number formats: code in commands, name in configurations, bits of an element.

A *vector* of a format is as many elements as the array has rows (as many as it has columns: they
are equal). Local addresses of operands count **units** of their format: a unit is a vector if that
is no longer than a scratchpad row, else a row. So where a row holds a vector of bf16, an int8
address counts half rows, an int4 address quarter rows, and an fp32 vector lies in two consecutive
units.
"""

from amaranth.hdl import unsigned

from ..enums import enum

__all__ = ["BITS", "FLOAT_OPERANDS", "OPERANDS", "Format", "units_per_row", "units_per_vector"]


class Format(enum.Enum, shape=unsigned(4)):
    """An element's format, as commands and microinstructions encode it."""

    INT8 = 0
    INT4 = 1
    """Two's complement, packed: element 2i in the low half of byte i."""
    BF16 = 2
    FP8E4M3 = 3
    """OCP 8-bit: no infinities, NaN 0x7F and 0xFF."""
    FP8E5M2 = 4
    """OCP 8-bit: IEEE-like."""
    INT32 = 5
    FP32 = 6


#: Bits of an element.
BITS = {
    Format.INT8: 8, Format.INT4: 4, Format.BF16: 16, Format.FP8E4M3: 8, Format.FP8E5M2: 8,
    Format.INT32: 32, Format.FP32: 32,
}

#: Formats that the array multiplies: name in ``TileConfig.formats`` -> code.
OPERANDS = {
    "int8": Format.INT8, "int4": Format.INT4, "bf16": Format.BF16, "fp8e4m3": Format.FP8E4M3,
    "fp8e5m2": Format.FP8E5M2,
}

#: Of them, those that accumulate in fp32; the others accumulate in int32.
FLOAT_OPERANDS = ("bf16", "fp8e4m3", "fp8e5m2")


def units_per_row(tile, code) -> int:
    """Units of a format in a scratchpad row: 1, 2 or 4."""
    return max(1, 8 * tile.row_bytes // (BITS[code] * tile.array_rows))


def units_per_vector(tile, code) -> int:
    """Units that a vector of a format fills: 1, 2 or 4."""
    return max(1, BITS[code] * tile.array_rows // (8 * tile.row_bytes))
