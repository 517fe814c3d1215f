"""Where the elements of a matrix row lie in a scratchpad: bytes, rows, units of a format."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from weft_hw.config import ChipConfig
from weft_hw.formats.table import BITS, Format, units_per_row, units_per_vector

__all__ = ["SCALED_OPERANDS", "Layout", "layout_of"]

#: Operands along K that share a scale (MX).
SCALED_OPERANDS = 32


@dataclass(frozen=True, slots=True)
class Layout:
    """Matrices of one format in a tile's scratchpad. Every matrix row begins at a scratchpad row,
    because transfers do; inside it vectors lie one after the other.

    ``row_elements``: elements that a scratchpad row holds. ``units_per_row`` and
    ``units_per_vector``: see ``weft_hw.formats.table``.
    """

    bits: int
    row_bytes: int
    row_elements: int
    units_per_row: int
    units_per_vector: int

    def bytes_of(self, elements: int) -> int:
        """Bytes of so many elements of a row, in memory; the last byte of int4 may be half used."""
        return -(-elements * self.bits // 8)

    def rows_of(self, elements: int) -> int:
        """Scratchpad rows that a matrix row of so many elements fills."""
        return -(-self.bytes_of(elements) // self.row_bytes)

    def stride_of(self, elements: int) -> int:
        """Units from one matrix row of so many elements to the next."""
        return self.unit(self.rows_of(elements))

    def unit(self, row: int) -> int:
        """The unit that a scratchpad row begins with."""
        return row * self.units_per_row


@lru_cache(maxsize=256)
def layout_of(config: ChipConfig, code: Format) -> Layout:
    """How matrices of a format lie in the scratchpads of ``config``."""
    tile = config.tile
    return Layout(
        bits=BITS[code],
        row_bytes=tile.row_bytes,
        row_elements=8 * tile.row_bytes // BITS[code],
        units_per_row=units_per_row(tile, code),
        units_per_vector=units_per_vector(tile, code),
    )
