"""Left operands that the tiles of a mesh row share: one tile loads them and sends them on.

The tiles of a row compute different columns of the same rows, in the same order and with ``a`` in
the same places. The first tile, the leader, loads each piece of ``a`` into a bank from which the
array does not read, and stores it to the place it has in all tiles, its own included; that gives
their ``ARRIVED`` semaphore. A tile that is done with what a piece replaces gives the leader a
credit, a semaphore of its own there, by a store of nothing; the leader's store of that piece waits
for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from weft_hw.config import ChipConfig

from .program import SEMAPHORE_OF
from .task import Part

__all__ = ["ARRIVED", "FREE_SEMAPHORES", "MOST_TILES", "Share", "may_share"]

_JOINS = len(SEMAPHORE_OF)
#: Semaphores that joins of a tile's engines leave free, the last ones: here the first is for
#: arrivals, the rest for credits.
FREE_SEMAPHORES = 16 - _JOINS
ARRIVED = 1 << _JOINS
#: Tiles of a row that can share.
MOST_TILES = FREE_SEMAPHORES


@dataclass(frozen=True, slots=True)
class Share:
    """The part of ``tile`` among ``columns`` tiles of row ``row``; the leader is the first."""

    row: int
    columns: int
    column: int

    @property
    def leads(self) -> bool:
        return self.column == 0

    @property
    def credit(self) -> int:
        """The semaphore that this tile, no leader, gives the leader."""
        return ARRIVED << self.column

    @property
    def credits(self) -> int:
        """Semaphores that the leader takes before it sends."""
        return sum(ARRIVED << column for column in range(1, self.columns))

    def to_all(self) -> dict[str, int]:
        """Fields of a store from the leader to all tiles of the row."""
        return {
            "to_tiles": 1,
            "x_first": 0,
            "x_last": self.columns - 1,
            "y_first": self.row,
            "y_last": self.row,
            "remote_signal": ARRIVED,
        }

    def to_leader(self) -> dict[str, int]:
        """Fields of a store of nothing to the leader."""
        return {
            "rows": 0,
            "to_tiles": 1,
            "x_first": 0,
            "x_last": 0,
            "y_first": self.row,
            "y_last": self.row,
            "remote_signal": self.credit,
        }


def may_share(config: ChipConfig, parts: tuple[Part, ...], down: int, across: int) -> bool:
    """Whether parts lie as sharing needs them: one row of parts on each of the first mesh rows, all
    of as many columns.
    """
    cols = config.mesh.cols
    if not 1 < across == cols <= MOST_TILES or len(parts) != down * across:
        return False
    places = [(column, row) for row in range(down) for column in range(across)]
    return [part.tile for part in parts] == places and len({part.n for part in parts}) == 1
