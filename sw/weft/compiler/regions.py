"""Where operands and results lie in a tile's memories.

Banks go by high address bits and serve one read and one write a cycle, so ``a``, ``b`` and the
results get different quarters of the scratchpad: the array's reads of ``a`` and ``b``, the load
engine's writes, and the traffic of vector and store engines never meet in a bank (with four banks
or more). Vector operands lie beside what is read least.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from weft_hw.config import ChipConfig

from .layout import SCALED_OPERANDS, layout_of
from .task import Blocking, GemmTask, Infeasible, Part, ceil_div, split
from .walk import Block

__all__ = [
    "Region",
    "Regions",
    "Slot",
    "a_rows_of",
    "accumulator_rows_of",
    "b_rows_of",
    "partial_rows_of",
    "regions_of",
    "scale_groups",
]


@dataclass(slots=True, eq=False)
class Slot:
    """Rows that hold one operand tile. ``last_use`` is the number of the last operation that reads
    it so far.
    """

    key: tuple[object, ...]
    start: int
    rows: int
    last_use: int


@dataclass(slots=True)
class Region:
    """Scratchpad rows ``[base, base + rows)``, filled round and round; the oldest tiles give
    way.
    """

    base: int
    rows: int
    _position: int = 0
    _live: list[Slot] = field(default_factory=list)

    def use(self, operation: int, key: tuple[object, ...], rows: int) -> tuple[Slot, int | None]:
        """The tile's slot for an operation; and, if it must be loaded for it, the operation whose
        end frees the rows (-1: they are free from the start), else None.

        Raises
        ------
        Infeasible
            if the tile does not fit, or only over one that the same operation reads.
        """
        for slot in self._live:
            if slot.key == key:
                slot.last_use = operation
                return slot, None
        if rows > self.rows:
            raise Infeasible
        if self._position + rows > self.rows:
            self._position = 0
        start = self.base + self._position
        self._position += rows
        evicted = [
            slot
            for slot in self._live
            if slot.start < start + rows and start < slot.start + slot.rows
        ]
        release = max((slot.last_use for slot in evicted), default=-1)
        if release >= operation:
            raise Infeasible
        self._live = [slot for slot in self._live if slot not in evicted]
        slot = Slot(key, start, rows, operation)
        self._live.append(slot)
        return slot, release


@dataclass(slots=True)
class Regions:
    """The regions: ``a``, ``b``, vector operands (bias, scale, residual), results, and partial sums
    from other tiles.
    """

    a: Region
    b: Region
    vector: Region
    out: Region
    partial: Region


def scale_groups(task: GemmTask, k: int) -> int:
    """Scales along K for ``k`` operands; 0 if there are none."""
    return ceil_div(k, SCALED_OPERANDS) if task.scaled else 0


def a_rows_of(config: ChipConfig, task: GemmTask, m: int, k: int) -> int:
    """Scratchpad rows of ``m x k`` of ``a``, its scales after it."""
    layout = layout_of(config, task.format)
    scales = scale_groups(task, k) * ceil_div(m, config.tile.row_bytes)
    return m * layout.rows_of(k) + scales


def b_rows_of(config: ChipConfig, task: GemmTask, k: int, n: int) -> int:
    """Scratchpad rows of ``k x n`` of ``b``, its scales after it."""
    layout = layout_of(config, task.format)
    scales = scale_groups(task, k) * ceil_div(n, config.tile.row_bytes)
    return k * layout.rows_of(n) + scales


def accumulator_rows_of(
    config: ChipConfig, blocks: list[Block], tail: int
) -> list[tuple[int, int]]:
    """Of each block, its first accumulator row, and the block that must be drained before it
    begins (negative: none).

    Halves take turns, so that one drains while the other fills: the array's updates hold up drains
    from the same half. Only blocks from ``tail`` on, short ones, begin while the last but one still
    drains, beside it.
    """
    half = config.tile.accumulator_rows // 2
    halves = (Region(0, half), Region(half, half))
    found = []
    for number, block in enumerate(blocks):
        rows = block.m * ceil_div(block.n, config.tile.array_cols)
        slot, release = halves[number % 2].use(number, (number,), rows)
        before = number - 2 if number < tail or release is None else release
        found.append((slot.start, before))
    return found


def partial_rows_of(config: ChipConfig, part: Part, m: int, n: int, pieces: int) -> int:
    """Scratchpad rows for the partial sums that a group's tiles send to one of them, blocks of
    ``m x n`` cut into ``pieces``; 0 if there is no group.
    """
    if not part.group:
        return 0
    vector = config.tile.accumulator_row_bytes // config.tile.row_bytes
    rows = ceil_div(m, pieces)
    blocks = ceil_div(part.m, m) * ceil_div(part.n, n)
    turns = ceil_div(blocks * ceil_div(m, rows), len(part.group))
    return len(part.group) * turns * rows * ceil_div(n, config.tile.array_cols) * vector


def regions_of(config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking) -> Regions:
    """Empty regions for one tile's program.

    Raises
    ------
    Infeasible
        if resident operands or partial sums do not fit.
    """
    rows = config.tile.scratchpad_rows
    quarter = rows // 4
    out_base, out_rows = 3 * quarter, quarter
    vector_base, vector_rows = rows, 0
    limit = out_base
    if not task.wide_results or task.residual_address is not None:
        out_rows = quarter // 2
        vector_base, vector_rows = out_base + out_rows, quarter - out_rows
    elif task.bias_address is not None:
        vector_rows = quarter // 8
        vector_base = limit = out_base - vector_rows
    partial = partial_rows_of(config, part, blocking.m, blocking.n, blocking.pieces)
    limit -= partial
    if limit <= blocking.a_quarters * quarter:
        raise Infeasible
    if not blocking.resident:
        a_rows = blocking.a_quarters * quarter
        a, b = Region(0, a_rows), Region(a_rows, limit - a_rows)
    else:
        a_rows = sum(a_rows_of(config, task, m, task.k) for _, m in split(part.m, blocking.m))
        columns = split(part.n, blocking.n, config.tile.array_cols)
        b_rows = sum(b_rows_of(config, task, task.k, n) for _, n in columns)
        bank = rows // config.tile.scratchpad_banks
        base = ceil_div(a_rows, bank) * bank
        if base + b_rows > limit:
            base = a_rows
        if base + b_rows > limit:
            raise Infeasible
        a, b = Region(0, a_rows), Region(base, b_rows)
    return Regions(
        a,
        b,
        Region(vector_base, vector_rows),
        Region(out_base, out_rows),
        Region(limit, partial),
    )
