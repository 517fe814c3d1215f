"""What becomes of sums that a microprogram has left in the scratchpad."""

from __future__ import annotations

from weft_hw.formats.table import Format

from .drain import Drain, Piece
from .layout import layout_of
from .task import ceil_div
from .walk import Block

__all__ = ["SumsDrain"]


class SumsDrain(Drain):
    """A ``Drain`` of sums in scratchpad rows, matrix rows touching; it takes an epilogue. The first
    row stands for the first accumulator row.
    """

    def _sums(self, block: Block, piece: Piece, first: int) -> tuple[Format, int, int, int, int]:
        code = Format.FP32 if self.task.is_float else Format.INT32
        layout, groups = layout_of(self.config, code), ceil_div(block.n, self.lanes)
        vector = layout.units_per_vector
        unit = layout.unit(first) + (piece.first * groups + piece.group) * vector
        return code, unit, groups * vector, vector, 0
