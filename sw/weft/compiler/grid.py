"""How a product is shared out among tiles: a grid of parts of the result."""

from __future__ import annotations

from functools import lru_cache

from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format

from .cost import array_cycles
from .layout import layout_of
from .task import GemmTask, Part, ceil_div, split

__all__ = ["grid", "parts_of"]


@lru_cache(maxsize=256)
def grid(
    config: ChipConfig,
    m: int,
    k: int,
    n: int,
    tiles: int,
    operand_format: Format,
    out_format: Format,
) -> tuple[int, int]:
    """Parts down and across: the least of array cycles and memory cycles of the largest part, as
    if each operand were moved once; then the least memory cycles.
    """
    rows, cols = config.tile.array_rows, config.tile.array_cols
    operands, results = layout_of(config, operand_format), layout_of(config, out_format)
    best = None
    for down in range(1, min(tiles, m) + 1):
        across = min(tiles // down, ceil_div(n, cols))
        part_m = ceil_div(m, down)
        part_n = min(n, ceil_div(ceil_div(n, cols), across) * cols)
        # tiles of a row share its endpoint
        share = ceil_div(down * across, config.mesh.memory_endpoints)
        moved = operands.bytes_of((part_m + part_n) * k) + results.bytes_of(part_m * part_n)
        memory = moved * share // config.flit_bytes
        # parts of fewer rows than the array cost as much as full ones: use fewer tiles then
        array = array_cycles(part_m, k, part_n, rows, cols)
        cost = (max(array, memory), memory, down * across)
        if best is None or cost < best[0]:
            best = (cost, (down, across))
    assert best is not None
    return best[1]


def parts_of(
    config: ChipConfig, task: GemmTask, tiles: tuple[tuple[int, int], ...], down: int, across: int
) -> tuple[Part, ...]:
    """The parts of a grid of ``down x across``, a tile each."""
    cols = config.tile.array_cols
    row_pieces = split(task.m, ceil_div(task.m, down))
    column_pieces = split(task.n, ceil_div(ceil_div(task.n, cols), across) * cols, cols)
    found = []
    for number, (m0, m) in enumerate(row_pieces):
        for other, (n0, n) in enumerate(column_pieces):
            tile = tiles[number * len(column_pieces) + other]
            endpoint = tile[1] % config.mesh.memory_endpoints
            found.append(Part(tile=tile, endpoint=endpoint, m0=m0, m=m, n0=n0, n=n))
    return tuple(found)
