"""Operand decoder: a scratchpad row to the operands of an array's edge.

Selects the part of the row that an address of the command's format means and decodes its R
elements. Combinational; with an int8-only array it passes the row on.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..formats.decode_fp8 import DecodeFp8
from ..formats.table import FLOAT_OPERANDS, OPERANDS, Format, units_per_row
from .operand import NAN_SIGNIFICAND, ONE_SIGNIFICAND, operand_bits

__all__ = ["OperandDecoder", "is_float", "part_bits", "unit_shift"]

#: A scale that makes any element NaN, and the one that leaves it.
_SCALE_NAN, _SCALE_ONE = 255, 127


def part_bits(tile) -> int:
    """log2 of the most units there are in a row."""
    return max(ceil_log2(units_per_row(tile, OPERANDS[name]))
               for name in tile.formats if name in OPERANDS)


def unit_shift(tile, format):
    """log2 of the units in a row, for a format that a command brings."""
    shift = Const(0, max(1, part_bits(tile).bit_length()))
    for name in tile.formats:
        if name in OPERANDS:
            units = ceil_log2(units_per_row(tile, OPERANDS[name]))
            shift = Mux(format == OPERANDS[name], units, shift) if units else shift
    return shift


def is_float(tile, format):
    """Whether it adds up in fp32."""
    return Cat(format == OPERANDS[name] for name in tile.formats if name in FLOAT_OPERANDS).any()


class OperandDecoder(wiring.Component):
    """Decodes one row.

    Members
    -------
    row : In(8 * row_bytes)
    lanes : In(R)
        Others become +0.
    part : In, format : In(Format)
        Unless the tile has int8 only.
    scales : In(8 * R), scaled : In(1)
        E8M0 scale of each lane, for fp8; only with mxfp8.
    operands : Out(operand bits * R)
    """

    def __init__(self, tile):
        self.tile = tile
        self.has_scales = "mxfp8" in tile.formats
        choice = {"part": In(max(1, part_bits(tile))), "format": In(Format)}
        scales = {"scales": In(8 * tile.array_rows), "scaled": In(1)}
        super().__init__({
            "row": In(8 * tile.row_bytes), "lanes": In(tile.array_rows),
            **(choice if len(tile.formats) > 1 else {}),
            **(scales if self.has_scales else {}),
            "operands": Out(operand_bits(tile) * tile.array_rows),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        elements = {name: self._elements(name) for name in tile.formats if name in OPERANDS}
        width = operand_bits(tile)
        for lane in range(tile.array_rows):
            value = Signal(width, name=f"value_{lane}")
            if tile.has_float:
                m.d.comb += value.eq(self._decode(m, lane, elements))
            else:
                m.d.comb += value.eq(self._integer(lane, elements))
            m.d.comb += self.operands.word_select(lane, width).eq(
                Mux(self.lanes[lane], value, 0))
        return m

    def _elements(self, name):
        """A vector of the format, from the part of the row."""
        code = OPERANDS[name]
        units = units_per_row(self.tile, code)
        bits = len(self.row) // units
        if units == 1:
            return self.row
        return self.row.word_select(self.part[:ceil_log2(units)], bits)

    def _integer(self, lane, elements):
        value = elements["int8"].word_select(lane, 8)
        if "int4" in elements:
            narrow = elements["int4"].word_select(lane, 4)
            extended = Cat(narrow, narrow[3].replicate(4))
            value = Mux(self.format == Format.INT4, extended, value)
        return value

    def _decode(self, m, lane, elements):
        """An ``Operand``: of an integer, or of a bf16 number."""
        integer = Signal(8, name=f"integer_{lane}")
        number = Signal(16, name=f"number_{lane}")
        m.d.comb += integer.eq(self._integer(lane, elements))
        with m.Switch(self.format):
            for name in elements:
                code = OPERANDS[name]
                if code == Format.BF16:
                    with m.Case(code):
                        m.d.comb += number.eq(elements[name].word_select(lane, 16))
                elif name in FLOAT_OPERANDS:
                    m.submodules[f"{name}_{lane}"] = fp8 = DecodeFp8(code)
                    m.d.comb += fp8.i.eq(elements[name].word_select(lane, 8))
                    with m.Case(code):
                        m.d.comb += number.eq(fp8.o)
        fraction, exponent, sign = number[:7], number[7:15], number[15]
        nan, huge, zero = (Signal(name=f"{what}_{lane}") for what in ("nan", "huge", "zero"))
        scaled_exponent = Signal(8, name=f"exponent_{lane}")
        m.d.comb += [
            nan.eq(exponent.all() & fraction.any()), huge.eq(exponent.all()),
            zero.eq(exponent == 0), scaled_exponent.eq(exponent),
        ]
        if self.has_scales:
            scale = self.scales.word_select(lane, 8)
            total = Signal(10, name=f"total_{lane}")            # in two's complement
            m.d.comb += total.eq((exponent + scale - _SCALE_ONE)[:10])
            with m.If(self.scaled):
                m.d.comb += [
                    nan.eq((exponent.all() & fraction.any()) | (scale == _SCALE_NAN)),
                    huge.eq(exponent.all() | (~total[9] & (total[:9] >= 255))),
                    zero.eq((exponent == 0) | total[9] | (total == 0)),
                    scaled_exponent.eq(total[:8]),
                ]
        # zero and infinity keep their sign; infinity does not become zero, nor zero infinity
        infinite = huge & (exponent != 0)
        vanishes = zero & ~exponent.all()
        significand = Mux(nan, NAN_SIGNIFICAND,
                          Mux(vanishes, 0,
                              Mux(infinite, ONE_SIGNIFICAND, Cat(fraction, Const(1, 1)))))
        field = Mux(nan, 255, Mux(vanishes, 0, Mux(infinite, 255, scaled_exponent)))
        floating = Cat(significand, sign, field)
        return Mux(is_float(self.tile, self.format), floating,
                   Cat(integer, integer[7], Const(0, 8)))
