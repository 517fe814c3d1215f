"""Rows of a table chosen by indices: a tile loads its indices, then gathers and stores by turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weft_hw.config import ChipConfig
from weft_hw.isa import Opcode

from .program import SEMAPHORE_OF, Step
from .task import ceil_div, split

__all__ = ["GatherTask", "gather_programs"]

_INDEX_BYTES = 4
#: Chunks that a tile's rows are cut into where they would fit fewer.
_CHUNKS = 4
#: From the load of indices to the first gather, which the same engine runs: it may begin a command
#: before what the one ahead moves has arrived.
_INDICES_THERE = 1 << len(SEMAPHORE_OF)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherTask:
    """``rows`` rows of ``row_bytes`` from a table of ``limit``; addresses are bytes."""

    rows: int
    row_bytes: int
    limit: int
    table_address: int
    index_address: int
    out_address: int


def gather_programs(
    config: ChipConfig, task: GatherTask, tiles: Sequence[tuple[int, int]]
) -> list[list[Step]]:
    """The steps of each tile that gets rows.

    Raises
    ------
    ValueError
        if the scratchpad cannot hold two rows and their indices.
    """
    unit = config.tile.row_bytes // _INDEX_BYTES
    share = ceil_div(ceil_div(task.rows, unit), len(tiles)) * unit
    width = ceil_div(task.row_bytes, config.tile.row_bytes)
    parts = split(task.rows, share, unit)
    largest = max(length for _, length in parts)
    # a chunk's indices begin a scratchpad row
    indices = ceil_div(largest, unit)
    fits = (config.tile.scratchpad_rows - indices) // 2 // width // unit * unit
    if fits < 1:
        raise ValueError(
            f"rows of {task.row_bytes} bytes and {largest} indices must fit the scratchpad of "
            f"{config.name} ({config.tile.scratchpad_rows} rows of {config.tile.row_bytes} bytes) "
            "twice; gather fewer or narrower rows at a time"
        )
    chunk = min(fits, ceil_div(ceil_div(largest, _CHUNKS), unit) * unit)
    return [
        _tile_steps(config, task, tile, part, chunk, indices)
        for tile, part in zip(tiles, parts, strict=False)
    ]


def _tile_steps(
    config: ChipConfig,
    task: GatherTask,
    tile: tuple[int, int],
    part: tuple[int, int],
    chunk: int,
    indices: int,
) -> list[Step]:
    first, rows = part
    row_bytes, endpoint = config.tile.row_bytes, tile[1] % config.mesh.memory_endpoints
    unit, width = row_bytes // _INDEX_BYTES, ceil_div(task.row_bytes, row_bytes)
    found = [
        Step(
            Opcode.LOAD,
            tile,
            {
                # rows of the list as long as those of the scratchpad, the last one as long as it is
                "memory_address": task.index_address + (first + start) * _INDEX_BYTES,
                "memory_stride": row_bytes,
                "row_bytes": min(length, unit) * _INDEX_BYTES,
                "rows": ceil_div(length, unit),
                "local_row": start // unit,
                "local_stride": 1,
                "endpoint": endpoint,
            },
        )
        for start, length in _whole_and_rest(rows, unit)
    ]
    found[-1].signal = _INDICES_THERE
    stores: list[Step] = []
    for number, (start, length) in enumerate(split(rows, chunk, unit)):
        local = indices + number % 2 * chunk * width
        before = (stores[number - 2],) if number > 1 else ()
        gather = Step(
            Opcode.GATHER,
            tile,
            {
                "memory_address": task.table_address,
                "memory_stride": task.row_bytes,
                "row_bytes": task.row_bytes,
                "rows": length,
                "local_row": local,
                "local_stride": width,
                "endpoint": endpoint,
                "index_row": start // unit,
                "limit": task.limit,
            },
            before,
        )
        gather.wait = 0 if number else _INDICES_THERE
        store = Step(
            Opcode.STORE,
            tile,
            {
                "memory_address": task.out_address + (first + start) * task.row_bytes,
                "memory_stride": task.row_bytes,
                "row_bytes": task.row_bytes,
                "rows": length,
                "local_row": local,
                "local_stride": width,
                "endpoint": endpoint,
            },
            (gather,),
        )
        stores.append(store)
        found += [gather, store]
    return found


def _whole_and_rest(rows: int, unit: int) -> list[tuple[int, int]]:
    """Indices that fill scratchpad rows, then the others."""
    whole = rows // unit * unit
    return [part for part in ((0, whole), (whole, rows - whole)) if part[1]]
