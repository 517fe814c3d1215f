"""What attention is to the compiler: matrices, jobs, programs, and what fits a tile."""

from __future__ import annotations

from dataclasses import dataclass

from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format

from .layout import layout_of
from .task import ceil_div

__all__ = [
    "AttentionTask",
    "Job",
    "JobRows",
    "Matrix",
    "Program",
    "accumulators_of",
    "largest_block",
    "sets_of",
]

_MOST_SETS = 4


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows in memory ``pitch`` bytes apart, in ``format``."""

    address: int
    pitch: int
    format: Format


@dataclass(frozen=True, slots=True)
class Program:
    """A microprogram in the tiles' stores: its first entry, its scalars' bits, cycles for a row of
    a vector. ``offset``: the scalar, if any, to which a job's first row is added.
    """

    start: int
    scalars: tuple[int, ...] = ()
    row_cycles: int = 1
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """``rows`` queries from ``first`` on of one head. ``mask``: rows of ``keys`` columns, with
    pitch 0 one row for all.
    """

    head: object
    first: int
    rows: int
    queries: Matrix
    keys: Matrix
    values: Matrix
    out: Matrix
    mask: Matrix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionTask:
    """``keys`` of width ``depth`` for each head, values of width ``width``; ``block`` queries at
    most in a job. ``softmax`` reads sums (stream 0), perhaps a mask, and writes bfloat16;
    ``quantise`` makes operands of these where ``format`` is another; ``finish`` converts results.
    """

    format: Format
    keys: int
    depth: int
    width: int
    block: int
    out_format: Format
    softmax: Program
    finish: Program
    quantise: Program | None = None
    has_mask: bool = False

    @property
    def is_float(self) -> bool:
        """Whether sums are fp32."""
        return self.format not in (Format.INT8, Format.INT4)


@dataclass(frozen=True, slots=True)
class JobRows:
    """Scratchpad rows of a row of each matrix."""

    query: int
    key: int
    value: int
    probability: int
    operand: int
    out: int
    mask: int

    @classmethod
    def of(cls, config: ChipConfig, task: AttentionTask, mask_format: Format) -> JobRows:
        lanes = config.tile.array_cols
        operands, keys = layout_of(config, task.format), ceil_div(task.keys, lanes) * lanes
        width = ceil_div(task.width, lanes) * lanes
        return cls(
            query=operands.rows_of(task.depth),
            key=operands.rows_of(task.keys),
            value=operands.rows_of(task.width),
            probability=layout_of(config, Format.BF16).rows_of(keys),
            operand=operands.rows_of(keys) if task.quantise is not None else 0,
            out=layout_of(config, task.out_format).rows_of(width),
            mask=layout_of(config, mask_format).rows_of(keys) if task.has_mask else 0,
        )

    def head(self, task: AttentionTask) -> int:
        """Of the keys and values of a head."""
        return task.depth * self.key + task.keys * self.value

    @property
    def job(self) -> int:
        """Of a job, for each query."""
        return self.query + self.probability + self.operand + self.out + self.mask


def accumulators_of(config: ChipConfig, task: AttentionTask) -> int:
    """Accumulator rows of a job: its scores and results."""
    lanes = config.tile.array_cols
    return task.block * (ceil_div(task.keys, lanes) + ceil_div(task.width, lanes))


def sets_of(config: ChipConfig, task: AttentionTask, rows: JobRows) -> int:
    """Jobs, and heads, that a tile has room for at once: two or four."""
    size = rows.head(task) + task.block * rows.job
    fits = _MOST_SETS * size <= config.tile.scratchpad_rows
    half = config.tile.accumulator_rows // 2
    return _MOST_SETS if fits and _MOST_SETS // 2 * accumulators_of(config, task) <= half else 2


def largest_block(
    config: ChipConfig, task: AttentionTask, mask_format: Format, queries: int
) -> int:
    """Queries that a job may have, at most all; 0 if not even one fits with all its keys."""
    tile, lanes = config.tile, config.tile.array_cols
    found = JobRows.of(config, task, mask_format)
    groups = ceil_div(task.keys, lanes) + ceil_div(task.width, lanes)
    room = tile.scratchpad_rows // 2 - found.head(task)
    return max(0, min(tile.accumulator_rows // 2 // groups, room // found.job, queries))
