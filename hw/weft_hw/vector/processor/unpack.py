"""From what a memory answers to the elements of a vector, still in their format. Combinational but
for the first parts of a vector that fills several rows.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...formats.table import Format, units_per_row, units_per_vector
from .control import RowControl, element_widths

__all__ = ["Unpack"]


class Unpack(wiring.Component):
    """Elements of a vector, one for each lane in the low bits of its 32.

    Members
    -------
    valid : In(1), control : In(RowControl)
        A load's row answers in this cycle.
    scratchpad, accumulator : In
        The responses of both memories.
    elements : Out(32 * C)
        With the last part of a vector.
    """

    def __init__(self, config):
        self.tile = config.tile
        tile = config.tile
        super().__init__({
            "valid": In(1), "control": In(RowControl()),
            "scratchpad": In(8 * tile.row_bytes), "accumulator": In(32 * tile.array_cols),
            "elements": Out(32 * tile.array_cols),
        })

    def elaborate(self, platform):
        m = Module()
        tile, row, control = self.tile, self.scratchpad, self.control
        lanes, beats = tile.array_cols, units_per_vector(tile, Format.INT32)

        parts = [Signal(len(row), name=f"part_{index}", reset_less=True)
                 for index in range(beats - 1)]
        for index, part in enumerate(parts):
            with m.If(self.valid & (control.part == index)):
                m.d.sync += part.eq(row)

        def spread(values, bits):
            words = [Signal(32, name=f"element_{bits}_{lane}") for lane in range(lanes)]
            m.d.comb += [word.eq(values[bits * lane:bits * lane + bits])
                         for lane, word in enumerate(words)]
            return Cat(words)

        with m.If(control.accumulator):
            m.d.comb += self.elements.eq(self.accumulator)
        with m.Else():
            with m.Switch(control.format):
                for bits, codes in element_widths(tile).items():
                    units = units_per_row(tile, codes[0])
                    values = row if units == 1 else row.word_select(control.unit, bits * lanes)
                    with m.Case(*codes):
                        m.d.comb += self.elements.eq(spread(values, bits))
                with m.Default():
                    m.d.comb += self.elements.eq(Cat(*parts, row))
        return m
