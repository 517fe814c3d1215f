"""How a product is shared out among tiles: a grid of parts of the result, each computed by a tile
or by a group of tiles that share its operands along K.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from weft_hw.config import ChipConfig

from .cost import array_cycles
from .layout import layout_of
from .task import GemmTask, Part, ceil_div, split
from .walk import k_unit

__all__ = ["Grid", "grids", "parts_of", "spread"]

#: Grids that split K which are worth a closer look, and the most they may cost more than the best
#: grid that does not.
_DEEP_GRIDS, _DEEP_COST = 2, 1.1
#: Cycles for partial sums to go to the next tiles and be waited for, beyond their own.
_EXCHANGE_CYCLES = 150
#: Cycles of the vector engine for a vector of sums: to read it, and to add one more.
_READ_CYCLES, _ADD_CYCLES = 2, 3


@dataclass(frozen=True, slots=True)
class Grid:
    """Parts down and across, and tiles along K for each."""

    down: int
    across: int
    depth: int = 1

    @property
    def tiles(self) -> int:
        return self.down * self.across * self.depth


@lru_cache(maxsize=256)
def grids(config: ChipConfig, task: GemmTask, tiles: int, split_k: bool) -> tuple[Grid, ...]:
    """The grid without a split of K that has the least of array cycles and memory cycles of the
    largest part, as if each operand were moved once (then the least memory cycles); after it, with
    ``split_k``, the best that split K. Only sizes and formats of ``task`` matter.
    """
    plain: list[tuple[tuple[float, float, int], Grid]] = []
    deep: list[tuple[tuple[float, float, int], Grid]] = []
    unit, lanes = k_unit(config, task), config.tile.array_cols
    for down in range(1, min(tiles, task.m) + 1):
        across = min(tiles // down, ceil_div(task.n, lanes))
        one = Grid(down, across)
        plain.append((_cost(config, task, one), one))
        if not split_k:
            continue
        for fewer in range(1, across + 1):
            depth = min(tiles // (down * fewer), ceil_div(task.k, unit))
            if depth > 1:
                one = Grid(down, fewer, depth)
                deep.append((_cost(config, task, one), one))
    best = min(plain, key=lambda one: one[0])
    deep.sort(key=lambda one: one[0])
    near = [one for cost, one in deep[:_DEEP_GRIDS] if cost[0] < _DEEP_COST * best[0][0]]
    return (best[1], *near)


def _cost(config: ChipConfig, task: GemmTask, one: Grid) -> tuple[float, float, int]:
    """Cycles, of them those of memory, and tiles."""
    rows, lanes, flit = config.tile.array_rows, config.tile.array_cols, config.flit_bytes
    operands = layout_of(config, task.format)
    results = layout_of(config, task.out_format)
    unit = k_unit(config, task)
    m = ceil_div(task.m, one.down)
    n = min(task.n, ceil_div(ceil_div(task.n, lanes), one.across) * lanes)
    k = min(task.k, ceil_div(ceil_div(task.k, unit), one.depth) * unit)
    # tiles of a row share its endpoint
    share = ceil_div(one.tiles, config.mesh.memory_endpoints)
    moved = operands.bytes_of((m + n) * k) + results.bytes_of(m * n) / one.depth
    memory = moved * share / flit
    # parts of fewer rows than the array cost as much as full ones: use fewer tiles then
    cycles = float(max(array_cycles(m, k, n, rows, lanes), memory))
    if one.depth > 1:
        vectors, adders = m * ceil_div(n, lanes), min(one.depth, m)
        added = ceil_div(vectors, adders) * (one.depth - 1)
        cycles += _EXCHANGE_CYCLES + _READ_CYCLES * vectors + _ADD_CYCLES * added
    return cycles, memory, one.tiles


def spread(tiles: tuple[tuple[int, int], ...], count: int) -> tuple[tuple[int, int], ...]:
    """``count`` of the tiles, as few in each mesh row as can be: a row shares a memory endpoint."""
    rows: dict[int, list[tuple[int, int]]] = {}
    for tile in tiles:
        rows.setdefault(tile[1], []).append(tile)
    widths = range(1, len(tiles) + 1)
    width = next(w for w in widths if sum(len(row[:w]) for row in rows.values()) >= count)
    return tuple(tile for row in rows.values() for tile in row[:width])[:count]


def parts_of(
    config: ChipConfig, task: GemmTask, tiles: tuple[tuple[int, int], ...], one: Grid
) -> tuple[Part, ...]:
    """The parts of a grid, a tile each; the tiles of a group lie side by side."""
    cols, unit = config.tile.array_cols, k_unit(config, task)
    row_pieces = split(task.m, ceil_div(task.m, one.down))
    column_pieces = split(task.n, ceil_div(ceil_div(task.n, cols), one.across) * cols, cols)
    k_pieces = split(task.k, ceil_div(ceil_div(task.k, unit), one.depth) * unit, unit)
    tiles = spread(tiles, len(row_pieces) * len(column_pieces) * len(k_pieces))
    found = []
    for number, (m0, m) in enumerate(row_pieces):
        for other, (n0, n) in enumerate(column_pieces):
            first = (number * len(column_pieces) + other) * len(k_pieces)
            group = tiles[first : first + len(k_pieces)]
            for tile, (k0, k) in zip(group, k_pieces, strict=True):
                place = Part(
                    tile=tile, endpoint=tile[1] % config.mesh.memory_endpoints,
                    m0=m0, m=m, n0=n0, n=n,
                    group=group if len(group) > 1 else (), k0=k0, k=k,
                )  # fmt: skip
                found.append(place)
    return tuple(found)
