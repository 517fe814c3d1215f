"""Operands that tiles share: tiles of a line, a stretch of a mesh row or column, that need the same
pieces of ``a`` or of ``b`` take turns to load one and send it to all.

The tiles of a line compute blocks in the same order, with the shared operands in the same places.
Piece ``i`` is led by tile ``i`` of the line, round and round, so that the memory endpoints of all
rows work. The leader loads it into a bank from which the array does not read, and stores it to the
place it has in all tiles, its own included; that gives their ``arrived`` semaphore. A tile that is
done with what a piece replaces gives the leader a credit by a store of nothing; the leader's store
waits for the credits of all.

Counts cannot be mistaken. Pieces of different leaders may overtake each other: semaphores for
arrivals take turns, and a piece is sent only when all tiles have used the one before it with the
same semaphore, so that at most one is under way. Pieces are sent no further ahead than a line has
tiles: a tile gives credit for a leader's second piece when it has used the first, whose credits are
taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby, product

from weft_hw.config import ChipConfig
from weft_hw.isa import Engine

from .program import SEMAPHORE_OF
from .task import Part

__all__ = ["ALONE", "FREE_SEMAPHORES", "SIDES", "Axis", "Line", "Sharing", "sharings"]

_JOINS = len(SEMAPHORE_OF)
#: Semaphores that joins of a tile's engines leave free, the last ones.
FREE_SEMAPHORES = 16 - _JOINS
#: Further ones where both operands come from other tiles: nothing is loaded for the array, and it
#: waits for no store.
_UNJOINED = tuple(
    SEMAPHORE_OF[pair]
    for pair in (
        (Engine.STORE, Engine.MATMUL),
        (Engine.LOAD, Engine.MATMUL),
        (Engine.MATMUL, Engine.LOAD),
    )
)
#: Semaphores of an operand, one of them for credits; of the operand that comes more often, if
#: both are shared, one more.
_EACH = 3
#: Operands of a product.
SIDES = ("a", "b")


class Axis(Enum):
    """Which way a line runs."""

    ROW = "row"
    COLUMN = "column"


@dataclass(frozen=True, slots=True)
class Line:
    """Tiles that share an operand, and their semaphores for it (masks)."""

    tiles: tuple[tuple[int, int], ...]
    arrivals: tuple[int, ...]
    credit: int

    @property
    def apart(self) -> int:
        """A piece is sent when the one so many before is used."""
        return min(len(self.arrivals), len(self.tiles))

    def leader(self, piece: int) -> tuple[int, int]:
        return self.tiles[piece % len(self.tiles)]

    def arrived(self, piece: int) -> int:
        """What the arrival of a piece gives."""
        return self.arrivals[piece % self.apart]

    def to_all(self, piece: int) -> dict[str, int]:
        """Fields of a store of a piece to all tiles."""
        return _to(self.tiles[0], self.tiles[-1], self.arrived(piece))

    def to_leader(self, piece: int) -> dict[str, int]:
        """Fields of a store of nothing to the leader of a piece."""
        return {"rows": 0, **_to(self.leader(piece), self.leader(piece), self.credit)}


def _to(first: tuple[int, int], last: tuple[int, int], signal: int) -> dict[str, int]:
    return {
        "to_tiles": 1,
        "x_first": first[0],
        "x_last": last[0],
        "y_first": first[1],
        "y_last": last[1],
        "remote_signal": signal,
    }


@dataclass(frozen=True, slots=True)
class Sharing:
    """How the tiles of a product share operands: each operand's axis and tiles of a line, or
    None.
    """

    a: tuple[Axis, int] | None = None
    b: tuple[Axis, int] | None = None

    def tiles(self, side: str) -> int:
        """Tiles that get an operand by one load."""
        found: tuple[Axis, int] | None = getattr(self, side)
        return found[1] if found else 1

    @property
    def sides(self) -> int:
        """Operands that are shared."""
        return sum(getattr(self, side) is not None for side in SIDES)

    def lines(self, tile: tuple[int, int], often: str) -> dict[str, Line]:
        """The lines of a tile by operand. ``often``: the operand that comes more often."""
        free = [1 << _JOINS + number for number in range(FREE_SEMAPHORES)]
        if self.sides == len(SIDES):
            free += [1 << number for number in _UNJOINED]
        found = {}
        for side in SIDES:
            one: tuple[Axis, int] | None = getattr(self, side)
            if one is None:
                continue
            axis, length = one
            x, y = tile
            if axis is Axis.ROW:
                tiles = [(x // length * length + at, y) for at in range(length)]
            else:
                tiles = [(x, y // length * length + at) for at in range(length)]
            count = _EACH + (self.sides == 1 or side == often)
            credit, *arrivals = free[:count]
            del free[:count]
            found[side] = Line(tuple(tiles), tuple(arrivals), credit)
        return found

    def streams(self, config: ChipConfig, side: str, share: int) -> int:
        """Of ``share`` tiles that use an endpoint, those that load pieces at the same time."""
        line = self.lines((0, 0), side)[side].tiles
        endpoints = [y % config.mesh.memory_endpoints for _, y in line]
        return max(1, share // endpoints.count(endpoints[0]))

    def __str__(self) -> str:
        texts = [
            f"{side} is shared by {one[1]} tiles of a mesh {one[0].value}"
            for side in SIDES
            if (one := getattr(self, side)) is not None
        ]
        return ", ".join(texts)


#: No operand is shared.
ALONE = Sharing()


def sharings(parts: Sequence[Part]) -> list[Sharing]:
    """What tiles with these parts can share.

    Parts must be alike, one for each tile of a rectangle from tile (0, 0) on, and no groups: then
    the tiles of a line do the same things in the same order.
    """
    where = {part.tile: part for part in parts}
    cols, rows = (1 + max(tile[at] for tile in where) for at in (0, 1))
    alike = {(part.m, part.n, part.group) for part in parts}
    if len(where) != cols * rows or len(alike) != 1 or parts[0].group:
        return []
    options = {
        "a": _axes({tile: part.m0 for tile, part in where.items()}, cols, rows),
        "b": _axes({tile: part.n0 for tile, part in where.items()}, cols, rows),
    }
    return [Sharing(a, b) for a, b in product(options["a"], options["b"]) if a or b]


def _axes(
    begins: dict[tuple[int, int], int], cols: int, rows: int
) -> list[tuple[Axis, int] | None]:
    """Lines whose tiles need the same; ``begins``: where each tile's operand begins."""
    found: list[tuple[Axis, int] | None] = [None]
    for axis in Axis:
        if axis is Axis.ROW:
            lines = [[begins[x, y] for x in range(cols)] for y in range(rows)]
        else:
            lines = [[begins[x, y] for y in range(rows)] for x in range(cols)]
        runs = {len(list(run)) for line in lines for _, run in groupby(line)}
        if len(runs) == 1 and max(runs) > 1:
            found.append((axis, max(runs)))
    return found
