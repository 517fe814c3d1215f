"""A microprogram over the rows of matrices in memory: loads ahead, stores behind, two chunks of
rows at a time in each tile.

Two places take turns, so that the load engine fills one while the vector engine works in the other,
of half the scratchpad at most; vectors that all rows share (a bias, a norm's weights) lie at its
end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_hw.isa import Opcode
from weft_hw.vector.microcode import STRIP

from .drain import stream
from .layout import Layout, layout_of
from .program import Step
from .task import ceil_div, split

__all__ = ["RowStream", "RowTask", "row_programs"]

#: Chunks that a tile's rows are cut into where they would fit fewer, so that engines overlap.
_CHUNKS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class RowStream:
    """An operand of a row-wise kernel: (M, N), or with ``shared`` (N,), the same for every row.

    ``number``: of ``RunCommand.streams``. ``pitch``: bytes from row to row. ``read``, ``written``:
    which ways it moves.
    """

    number: int
    format: Format
    address: int
    pitch: int
    read: bool = True
    written: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTask:
    """``m`` rows of ``n`` columns through the program at ``start``.

    ``row_scalar``: the scalar, if any, to which the number of a command's first row is added.
    """

    m: int
    n: int
    start: int
    streams: tuple[RowStream, ...]
    scalars: tuple[int, ...] = ()
    row_scalar: int | None = None
    row_cycles: int = 1


@dataclass(frozen=True, slots=True)
class _Place:
    """A stream in the scratchpad: its layout, rows of a matrix row, first row in each half."""

    operand: RowStream
    layout: Layout
    width: int


def row_programs(
    config: ChipConfig, task: RowTask, tiles: Sequence[tuple[int, int]]
) -> list[list[Step]]:
    """The steps of each tile that gets rows.

    Raises
    ------
    ValueError
        if not even one row of each operand fits half a scratchpad.
    """
    strips = ceil_div(task.m, STRIP)
    share = ceil_div(strips, min(len(tiles), strips)) * STRIP
    parts = split(task.m, share, STRIP)
    return [
        _tile_steps(config, task, tile, first, rows)
        for tile, (first, rows) in zip(tiles, parts, strict=False)
    ]


def _tile_steps(
    config: ChipConfig, task: RowTask, tile: tuple[int, int], first: int, rows: int
) -> list[Step]:
    lanes = config.tile.array_cols
    whole = ceil_div(task.n, lanes) * lanes
    places = []
    for operand in task.streams:
        layout = layout_of(config, operand.format)
        places.append(_Place(operand, layout, layout.rows_of(whole)))
    shared = [place for place in places if place.operand.shared]
    moving = [place for place in places if not place.operand.shared]
    constants = sum(place.width for place in shared)
    half = (config.tile.scratchpad_rows - constants) // 2
    fits = half // sum(place.width for place in moving)
    if fits == 0:
        raise ValueError(
            f"rows of {task.n} columns must fit half of the scratchpad of {config.name} "
            f"({half} rows of {config.tile.row_bytes} bytes) with all operands; "
            "use narrower matrices or a configuration with more scratchpad_kib"
        )
    wanted = ceil_div(ceil_div(rows, _CHUNKS), STRIP) * STRIP
    return _Rows(config, task, tile, shared, moving).steps(first, rows, min(fits, wanted))


class _Rows:
    """Emits the steps of one tile."""

    def __init__(
        self,
        config: ChipConfig,
        task: RowTask,
        tile: tuple[int, int],
        shared: list[_Place],
        moving: list[_Place],
    ) -> None:
        self.config, self.task, self.tile = config, task, tile
        self.shared, self.moving = shared, moving
        self.endpoint = tile[1] % config.mesh.memory_endpoints
        self.found: list[Step] = []
        self.base = 0

    def steps(self, first: int, rows: int, chunk: int) -> list[Step]:
        """Loads run one chunk ahead of the program, in ring order as in time."""
        at = self.config.tile.scratchpad_rows
        constants: list[tuple[_Place, int]] = []
        for place in self.shared:
            at -= place.width
            constants.append((place, at))
            self._transfer(Opcode.LOAD, (), place, 0, 1, at)
        # at the end: weights of the next product may be loaded ahead to the beginning
        half = min(at // 2, chunk * sum(place.width for place in self.moving))
        self.base = at - 2 * half
        pieces = [
            (first + start, length) for start, length in split(rows, chunk, min(chunk, STRIP))
        ]
        loads: list[Step | None] = []
        runs: list[Step] = []
        stores: list[Step | None] = []
        self._load(pieces, 0, chunk, half, runs, stores, loads)
        for number, (start, length) in enumerate(pieces):
            self._load(pieces, number + 1, chunk, half, runs, stores, loads)
            places = [*constants, *self._rows(number, chunk, half)]
            needs = [loads[number], stores[number - 2] if number > 1 else None]
            runs.append(
                self._run(start, length, places, [step for step in needs if step is not None])
            )
            last = None
            for place, row in places:
                if place.operand.written:
                    last = self._transfer(Opcode.STORE, (runs[-1],), place, start, length, row)
            stores.append(last)
        return self.found

    def _rows(self, number: int, chunk: int, half: int) -> list[tuple[_Place, int]]:
        """Where the operands of a chunk begin."""
        at, found = self.base + number % 2 * half, []
        for place in self.moving:
            found.append((place, at))
            at += chunk * place.width
        return found

    def _load(
        self,
        pieces: list[tuple[int, int]],
        number: int,
        chunk: int,
        half: int,
        runs: list[Step],
        stores: list[Step | None],
        loads: list[Step | None],
    ) -> None:
        if number >= len(pieces):
            return
        start, length = pieces[number]
        before = [runs[number - 2], stores[number - 2]] if number > 1 else []
        needs = tuple(step for step in before if step is not None)
        # what all rows share comes before the first chunk
        last = self.found[-1] if self.found and number == 0 else None
        for place, row in self._rows(number, chunk, half):
            if place.operand.read:
                last = self._transfer(Opcode.LOAD, needs, place, start, length, row)
        loads.append(last)

    def _run(
        self, first: int, rows: int, places: list[tuple[_Place, int]], needs: list[Step]
    ) -> Step:
        task = self.task
        fields = {"m": rows, "n": task.n, "start": task.start}
        for place, row in places:
            layout, operand = place.layout, place.operand
            fields |= stream(
                operand.number,
                operand.format,
                layout.unit(row),
                0 if operand.shared else layout.unit(place.width),
                layout.units_per_vector,
            )
        for number, bits in enumerate(task.scalars):
            added = first if number == task.row_scalar else 0
            fields[f"scalar{number}"] = (bits + added) & 0xFFFF_FFFF
        step = Step(Opcode.RUN, self.tile, fields, tuple(needs), task.row_cycles)
        self.found.append(step)
        return step

    def _transfer(
        self,
        opcode: Opcode,
        needs: tuple[Step, ...],
        place: _Place,
        start: int,
        rows: int,
        local_row: int,
    ) -> Step:
        operand, size = place.operand, place.layout.bytes_of(self.task.n)
        step = Step(
            opcode,
            self.tile,
            {
                "memory_address": operand.address + start * operand.pitch,
                "memory_stride": operand.pitch if rows > 1 else size,
                "row_bytes": size,
                "rows": rows,
                "local_row": local_row,
                "local_stride": place.width,
                "endpoint": self.endpoint,
            },
            needs,
        )
        self.found.append(step)
        return step
