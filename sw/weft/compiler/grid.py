"""How a product is shared out among tiles: a grid of parts of the result, each computed by a tile
or by a group of tiles that share its operands along K.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from weft_hw.config import ChipConfig

from .cost import array_cycles
from .layout import layout_of
from .share import ALONE, Sharing, sharings
from .task import GemmTask, Part, ceil_div, split
from .walk import k_unit

__all__ = ["Grid", "grids", "parts_of", "spread"]

#: Grids that split K which are worth a closer look, and the most they may cost more than the best
#: grid that does not.
_DEEP_GRIDS, _DEEP_COST = 2, 1.1
#: Flits that a flit of shared operands takes on its way to the tiles.
_SENT_FLITS = 9 / 8
#: Cycles for partial sums to go to the next tiles and be waited for, beyond their own.
_EXCHANGE_CYCLES = 150
#: Cycles of the vector engine for a vector of sums: to read it, and to add one more.
_READ_CYCLES, _ADD_CYCLES = 2, 3


@dataclass(frozen=True, slots=True)
class Grid:
    """Parts down and across, and tiles along K for each. ``by_columns``: neighbouring parts of a
    row of results lie in a mesh column, not in a mesh row.
    """

    down: int
    across: int
    depth: int = 1
    by_columns: bool = False

    @property
    def tiles(self) -> int:
        return self.down * self.across * self.depth


_Cost = tuple[float, float, int]


@lru_cache(maxsize=256)
def grids(
    config: ChipConfig,
    task: GemmTask,
    tiles: tuple[tuple[int, int], ...],
    split_k: bool,
    share: bool,
) -> tuple[tuple[Grid, Sharing, float], ...]:
    """The grid without a split of K that has the least of array cycles and memory cycles of the
    largest part, as if each operand were moved once (then the least memory cycles); after it, with
    ``share``, the best whose tiles share operands, and, with ``split_k``, the best that split K;
    each with its cycles. Only sizes and formats of ``task`` matter.
    """
    plain: list[tuple[_Cost, Grid]] = []
    shared: list[tuple[_Cost, Grid, Sharing]] = []
    deep: list[tuple[_Cost, Grid]] = []
    count = len(tiles)
    unit, lanes = k_unit(config, task), config.tile.array_cols
    for down in range(1, min(count, task.m) + 1):
        across = min(count // down, ceil_div(task.n, lanes))
        one = Grid(down, across)
        plain.append((_cost(config, task, one, ALONE), one))
        for by_columns in (False, True) if share and one.tiles > 1 else ():
            turned = replace(one, by_columns=by_columns)
            for sharing in sharings(parts_of(config, task, tiles, turned)):
                shared.append((_cost(config, task, turned, sharing), turned, sharing))
        for fewer in range(1, across + 1) if split_k else ():
            depth = min(count // (down * fewer), ceil_div(task.k, unit))
            if depth > 1:
                one = Grid(down, fewer, depth)
                deep.append((_cost(config, task, one, ALONE), one))
    best = min(plain, key=lambda one: one[0])
    deep.sort(key=lambda one: one[0])
    # the best that shares a, b or both: which of these is best depends on what lies on its way
    shared.sort(key=lambda one: one[0])
    kinds = {
        (how.a is None, how.b is None): at for at, (_, _, how) in reversed([*enumerate(shared)])
    }
    return (
        (best[1], ALONE, best[0][0]),
        *((one, how, cost[0]) for cost, one, how in (shared[at] for at in sorted(kinds.values()))),
        *(
            (one, ALONE, cost[0])
            for cost, one in deep[:_DEEP_GRIDS]
            if cost[0] < _DEEP_COST * best[0][0]
        ),
    )


def _cost(config: ChipConfig, task: GemmTask, one: Grid, sharing: Sharing) -> _Cost:
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
    a_flits, b_flits = (
        _flits(config, length, operands.bytes_of(width))
        for length, width in ((m, k), (n, k) if task.b_transposed else (k, n))
    )
    moved = a_flits / sharing.tiles("a") + b_flits / sharing.tiles("b")
    moved += results.bytes_of(m * n) / one.depth / flit
    memory = moved * share
    # parts of fewer rows than the array cost as much as full ones: use fewer tiles then
    cycles = max(float(array_cycles(m, k, n, rows, lanes)), memory)
    if sharing.sides:
        cycles = max(cycles, (a_flits + b_flits) * _SENT_FLITS)
    if one.depth > 1:
        vectors, adders = m * ceil_div(n, lanes), min(one.depth, m)
        added = ceil_div(vectors, adders) * (one.depth - 1)
        cycles += _EXCHANGE_CYCLES + _READ_CYCLES * vectors + _ADD_CYCLES * added
    return cycles, memory, one.tiles


def _flits(config: ChipConfig, rows: int, row_bytes: int) -> int:
    """Of rows read from memory, headers included."""
    packets = ceil_div(row_bytes, config.mesh.max_packet_bytes)
    return rows * (ceil_div(row_bytes, config.flit_bytes) + packets)


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
    if one.by_columns:
        tiles = tuple(sorted(tiles))
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
