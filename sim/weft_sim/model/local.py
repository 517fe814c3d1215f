"""The local memories of a tile: row ranges, strided views, and which banks a walk touches."""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from weft_hw.config import ChipConfig

__all__ = ["LocalMemory", "local_memories"]


class LocalMemory:
    """``rows`` rows of ``lanes`` elements, split into ``banks`` by high address bits.

    ``data`` is (rows, lanes) of ``dtype``.
    """

    def __init__(self, data: np.ndarray, banks: int) -> None:
        self.rows = len(data)
        self.banks = banks
        self.bank_rows = self.rows // banks
        self.data = data
        self._units: dict[int, LocalMemory] = {1: self}

    def in_units(self, per_row: int) -> "LocalMemory":
        """The same bytes as ``per_row`` units a row, each of which counts as a row."""
        if per_row not in self._units:
            self._units[per_row] = LocalMemory(
                self.data.reshape(self.rows * per_row, -1), self.banks
            )
        return self._units[per_row]

    def last_row(self, row: int, *walks: tuple[int, int]) -> int:
        """Last row of a nest of loops from ``row``; a walk is (steps, stride)."""
        return row + sum((steps - 1) * stride for steps, stride in walks)

    def holds(self, row: int, *walks: tuple[int, int]) -> bool:
        """Whether every row of the nest of loops exists."""
        return self.last_row(row, *walks) < self.rows

    def view(self, row: int, *walks: tuple[int, int]) -> np.ndarray:
        """(steps of walk 0, ..., lanes) view of the rows of a nest of loops, which must exist."""
        pitch, lane = self.data.strides
        return as_strided(
            self.data[row:],
            shape=(*(steps for steps, _ in walks), self.data.shape[1]),
            strides=(*(stride * pitch for _, stride in walks), lane),
        )

    def bank(self, row: int) -> int:
        return row // self.bank_rows

    def banks_of(self, first: int, last: int) -> int:
        """The banks of rows ``first..last``, a bit each."""
        low, high = first // self.bank_rows, last // self.bank_rows
        return (2 << high) - (1 << low)


def local_memories(config: ChipConfig) -> tuple[LocalMemory, LocalMemory]:
    """Scratchpad (uint8 bytes) and accumulator (int32 lanes) of one tile."""
    tile = config.tile
    return (
        LocalMemory(
            np.zeros((tile.scratchpad_rows, tile.row_bytes), np.uint8), tile.scratchpad_banks
        ),
        LocalMemory(
            np.zeros((tile.accumulator_rows, tile.array_cols), np.int32), tile.accumulator_banks
        ),
    )
