"""Windows of images reduced by microprograms: a tile gathers windows (im2col), then reduces and
stores, two chunks of output positions by turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_hw.isa import Opcode

from .drain import stream
from .image import Image, image_loads
from .layout import layout_of
from .program import Step
from .task import ceil_div, split

__all__ = ["PoolTask", "Reduction", "pool_programs"]

#: Chunks that a tile's positions are cut into where they would fit fewer.
_CHUNKS = 4


@dataclass(frozen=True, slots=True)
class Reduction:
    """A program at entry ``start`` that reduces ``taps`` positions of the window from ``first`` on;
    all but the first one of a window go on from what is there. ``row_cycles``: for a vector row.
    """

    start: int
    first: int
    taps: int
    row_cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTask:
    """``rows`` output positions of ``image``, whose pixels have ``format``, as the results have."""

    rows: int
    format: Format
    image: Image
    address: int
    out_address: int
    reductions: tuple[Reduction, ...]


def pool_programs(
    config: ChipConfig, task: PoolTask, tiles: Sequence[tuple[int, int]]
) -> list[list[Step]]:
    """The steps of each tile that gets positions.

    Raises
    ------
    ValueError
        if half a scratchpad cannot hold one window and its result.
    """
    layout, lanes = layout_of(config, task.format), config.tile.array_cols
    pixel = layout.rows_of(ceil_div(task.image.channels, lanes) * lanes)
    each = layout.rows_of(task.image.channels) * task.image.positions + pixel
    fits = config.tile.scratchpad_rows // 2 // each
    if fits == 0:
        raise ValueError(
            f"a window of {task.image.positions} pixels with {task.image.channels} channels must "
            f"fit half of the scratchpad of {config.name}; pool fewer channels at a time"
        )
    parts = split(task.rows, ceil_div(task.rows, len(tiles)))
    return [
        _tile_steps(config, task, tile, first, rows, min(fits, ceil_div(rows, _CHUNKS)), pixel)
        for tile, (first, rows) in zip(tiles, parts, strict=False)
    ]


def _tile_steps(
    config: ChipConfig,
    task: PoolTask,
    tile: tuple[int, int],
    first: int,
    rows: int,
    chunk: int,
    pixel: int,
) -> list[Step]:
    layout, image = layout_of(config, task.format), task.image
    endpoint = tile[1] % config.mesh.memory_endpoints
    columns = image.positions * image.depth(layout)
    # a vector of a pixel may reach into the next one's rows, whose lanes do not count
    depth = layout.rows_of(image.channels)
    width = image.positions * depth
    size = layout.bytes_of(image.channels)
    found: list[Step] = []
    ends: list[tuple[Step, Step]] = []
    pieces = [(first + start, length) for start, length in split(rows, chunk)]
    places = []

    def load(number: int) -> None:
        """The windows of a chunk, after what used their place."""
        start, length = pieces[number]
        base = number % 2 * (config.tile.scratchpad_rows // 2)
        needs = (ends[number - 2][0],) if number > 1 else ()
        for fields in image_loads(
            image, layout, task.address, config.host.address_bits, (start, length), (0, columns),
            base,
        ):  # fmt: skip
            found.append(Step(Opcode.LOAD, tile, {**fields, "endpoint": endpoint}, needs))
        places.append((base, base + chunk * width, found[-1]))

    load(0)
    for number, (start, length) in enumerate(pieces):
        if number + 1 < len(pieces):
            load(number + 1)
        base, out, loaded = places[number]
        needs = (loaded, *((ends[number - 2][1],) if number > 1 else ()))
        for one in task.reductions:
            fields = {"m": length, "n": image.channels, "start": one.start}
            for tap in range(one.taps):
                at = layout.unit(base + (one.first + tap) * depth)
                fields |= stream(tap, task.format, at, layout.unit(width), layout.units_per_vector)
            fields |= stream(
                one.taps, task.format, layout.unit(out), layout.unit(pixel),
                layout.units_per_vector,
            )  # fmt: skip
            found.append(Step(Opcode.RUN, tile, fields, needs, one.row_cycles))
            needs = ()
        last = found[-1]
        fields = {
            "memory_address": task.out_address + start * size,
            "memory_stride": size,
            "row_bytes": size,
            "rows": length,
            "local_row": out,
            "local_stride": pixel,
            "endpoint": endpoint,
        }
        found.append(Step(Opcode.STORE, tile, fields, (last,)))
        ends.append((last, found[-1]))
    return found
