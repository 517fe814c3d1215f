"""The order in which a tile computes its part: blocks of results, and the array operations of
each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from weft_hw.config import ChipConfig

from .layout import SCALED_OPERANDS, layout_of
from .task import Blocking, GemmTask, Infeasible, Part, split

__all__ = ["Block", "Operation", "chunks", "k_unit", "walk"]


@dataclass(frozen=True, slots=True)
class Block:
    """Results ``[m0, m0+m) x [n0, n0+n)`` of the whole product, inside the operand panels it is
    computed from.
    """

    m0: int
    m: int
    n0: int
    n: int
    row_panel: tuple[int, int]
    """(start, length) of the rows of ``a`` that are loaded together."""
    column_panel: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Operation:
    """One matmul command: operands ``[k0, k0+k)`` of a block."""

    block: int
    k0: int
    k: int
    last: bool
    """Whether it completes the block."""


def k_unit(config: ChipConfig, task: GemmTask) -> int:
    """What K is cut at multiples of: whole scratchpad rows of operands, and whole groups of a
    scale.
    """
    elements = layout_of(config, task.format).row_elements
    return math.lcm(elements, SCALED_OPERANDS) if task.scaled else elements


def chunks(
    length: int, largest: int, first: int, unit: int, growth: int = 4
) -> list[tuple[int, int]]:
    """``length`` in pieces: ``first``, then each ``growth`` halves of the last, up to ``largest``.

    >>> chunks(512, 256, 32, 16, 4)
    [(0, 32), (32, 64), (96, 128), (224, 144), (368, 144)]
    >>> chunks(256, 256, 32, 16, 3)
    [(0, 32), (32, 48), (80, 80), (160, 96)]
    """
    found, start, size = [], 0, first
    while size < largest:
        following = -(-size * growth // (2 * unit)) * unit
        # a last piece that is not much longer than it may be needs no other
        if start + size + min(following, largest) // 2 >= length:
            break
        found.append((start, size))
        start += size
        size = following
    size = min(size, largest)
    return found + [(start + at, piece) for at, piece in split(length - start, size, unit)]


def _halve(block: Block, unit: int, times: int, rows: bool) -> list[Block]:
    """The block, its second half halved again and again."""
    found = []
    for _ in range(times):
        length = block.m if rows else block.n
        if length <= unit:
            break
        first = split(length, -(-length // 2), unit)[0][1]
        if first == length:
            break
        panels = (block.row_panel, block.column_panel)
        if rows:
            found.append(Block(block.m0, first, block.n0, block.n, *panels))
            block = Block(block.m0 + first, block.m - first, block.n0, block.n, *panels)
        else:
            found.append(Block(block.m0, block.m, block.n0, first, *panels))
            block = Block(block.m0, block.m, block.n0 + first, block.n - first, *panels)
    return [*found, block]


def walk(
    config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking
) -> tuple[list[Block], list[Operation]]:
    """Blocks in the order they are computed, and the operations of all of them.

    Raises
    ------
    Infeasible
        if a block does not fit half of the accumulator.
    """
    unit, lanes = k_unit(config, task), config.tile.array_cols
    if blocking.m * -(-blocking.n // lanes) > config.tile.accumulator_rows // 2:
        raise Infeasible
    row_panels = [(part.m0 + at, size) for at, size in split(part.m, blocking.m)]
    column_panels = [(part.n0 + at, size) for at, size in split(part.n, blocking.n, lanes)]
    outer, inner = (row_panels, column_panels) if blocking.m_outer else (column_panels, row_panels)
    blocks: list[Block] = []
    for number, slow in enumerate(outer):
        # back and forth, so that the panel used last is used again while the next one loads
        for fast in inner if number % 2 == 0 else reversed(inner):
            rows, columns = (slow, fast) if blocking.m_outer else (fast, slow)
            blocks.append(Block(rows[0], rows[1], columns[0], columns[1], rows, columns))
    # a block's own scales must begin a scratchpad row
    shortest = config.tile.row_bytes if task.scaled else config.tile.array_rows
    tail = _halve(blocks.pop(), shortest, blocking.tail_m, rows=True)
    tail += _halve(tail.pop(), lanes, blocking.tail_n, rows=False)
    blocks += tail
    first = outer[0]
    early = chunks(task.k, blocking.k, blocking.first_k, unit, blocking.growth)
    steady = chunks(task.k, blocking.k, blocking.k, unit)
    operations = []
    for number, block in enumerate(blocks):
        own = block.row_panel if blocking.m_outer else block.column_panel
        pieces = early if own == first else steady
        for at, (k0, k) in enumerate(pieces):
            operations.append(Operation(number, k0, k, at == len(pieces) - 1))
    return blocks, operations
