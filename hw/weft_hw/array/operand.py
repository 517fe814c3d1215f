"""Operands inside the array: one form for integers and bf16, made at its edge.

An array that multiplies integers only carries int8. One with floating point carries ``Operand``,
which spares every processing element the decoding.
"""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

__all__ = ["NAN_SIGNIFICAND", "ONE_SIGNIFICAND", "Operand", "decodes", "operand_bits",
           "operand_shape"]

#: Significands of 1.0 (and of infinity) and of NaN, which has the highest exponent too.
ONE_SIGNIFICAND, NAN_SIGNIFICAND = 0x80, 0xC0


class Operand(data.Struct):
    """An int8 number, or a bf16 number that is not subnormal."""

    significand: unsigned(8)
    """Of an integer the number in two's complement; else with the implicit one: zero only for
    zero."""
    sign: unsigned(1)
    """Also of an integer, which makes nine bits of it."""
    exponent: unsigned(8)
    """As in bf16; 0 for zero and for integers."""


def operand_bits(tile) -> int:
    """Bits of an operand inside the array."""
    return Operand.as_shape().size if tile.has_float else 8


def operand_shape(has_float):
    """Its shape in the ports of processing elements."""
    return unsigned(Operand.as_shape().size) if has_float else signed(8)


def decodes(tile) -> bool:
    """Whether operands are selected and decoded at the edge, which takes a cycle there. Rows of an
    int8-only scratchpad are operands as they are."""
    return tile.formats != ("int8",)
