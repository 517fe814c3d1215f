"""What travels beside the rows of a strip through the lanes."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ...enums import enum
from ...formats.table import BITS, OPERANDS, Format
from ..microcode import REGISTERS, STRIP, Fill

__all__ = ["INDEX_BITS", "REGISTER_BITS", "LaneOp", "Narrow", "Operand", "Result", "RowControl",
           "element_widths", "operand_formats"]

#: Of a register's name, of a row's place in a strip.
REGISTER_BITS, INDEX_BITS = (REGISTERS - 1).bit_length(), (STRIP - 1).bit_length()


class LaneOp(enum.Enum, shape=unsigned(5)):
    """What a lane does with its operands in the first stage; names are those of ``microcode.Op``,
    where there is one."""

    MOVE = 0
    ADD = 1
    SUBTRACT = 2
    MULTIPLY = 3
    MINIMUM = 4
    MAXIMUM = 5
    LESS = 6
    LESS_EQUAL = 7
    EQUAL = 8
    SELECT = 9
    INT_ADD = 10
    INT_SUBTRACT = 11
    INT_MINIMUM = 12
    INT_MAXIMUM = 13
    INT_LESS = 14
    AND = 15
    OR = 16
    XOR = 17
    SHIFT_LEFT = 18
    SHIFT_RIGHT = 19
    SHIFT_ARITHMETIC = 20
    TO_INT = 21
    TO_FLOAT = 22
    COLUMN = 23
    """b, a multiple of C, plus the lane's number"""
    ENCODE_BF16 = 24
    """fp32 b as bf16 in the low bits; so the other two"""
    ENCODE_FP8E4M3 = 25
    ENCODE_FP8E5M2 = 26


class Operand(enum.Enum, shape=unsigned(2)):
    """Where operand b comes from."""

    REGISTER = 0
    PERMUTED = 1
    CONSTANT = 2
    """The same in all lanes."""
    MEMORY = 3


class Result(enum.Enum, shape=unsigned(3)):
    """Which unit of the lane has the result."""

    SIMPLE = 0
    ADD = 1
    TO_INT = 2
    MULTIPLY = 3
    TO_FLOAT = 4


class Narrow(enum.Enum, shape=unsigned(2)):
    """An int32 result saturates to this width (of the units SIMPLE and TO_INT)."""

    NONE = 0
    INT8 = 1
    INT4 = 2


class RowControl(data.StructLayout):
    """One row of one instruction. ``row``: its place in the strip. ``part``, ``unit``: the
    scratchpad row is that part of the vector, or the vector is that unit of it; ``whole``: with it
    the vector is complete."""

    def __init__(self):
        super().__init__({
            "op": LaneOp, "result": Result, "narrow": Narrow,
            "d": unsigned(REGISTER_BITS), "a": unsigned(REGISTER_BITS),
            "b": unsigned(REGISTER_BITS), "row": unsigned(INDEX_BITS),
            "operand": Operand, "permute_bit": unsigned(3),
            # the result goes to register d; to the mask; to the write queue; is a table's index
            "writes": unsigned(1), "compares": unsigned(1), "stores": unsigned(1),
            "looks_up": unsigned(1),
            "saturate": unsigned(1),
            # lanes beyond N: loads fill them, stores clear them
            "tail": unsigned(1), "fill": Fill,
            # of loads and stores
            "format": Format, "accumulator": unsigned(1), "unit": unsigned(2),
            "part": unsigned(2), "whole": unsigned(1),
        })


def operand_formats(tile) -> list[Format]:
    """The formats built in of less than 32 bits."""
    return [OPERANDS[name] for name in tile.formats if name in OPERANDS]


def element_widths(tile) -> dict[int, list[Format]]:
    """Bits of an element -> the formats built in that have them, but for those of 32 bits."""
    widths = {}
    for code in operand_formats(tile):
        widths.setdefault(BITS[code], []).append(code)
    return widths
