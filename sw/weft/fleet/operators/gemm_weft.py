"""Weft matrix multiplication: cycles and DRAM bytes by the closed form of its own array.

One tile, weight-stationary, `R x C`, double-buffered weights: R cycles for the first weights, each
of `ceil(K/R) ceil(N/C)` weight blocks but the last `max(M, R)` (R to load the next block behind
it), the last M, and the fill of the array, which the hardware says (`WeftArray.fill_cycles`): the
matmul engine's own closed form, which its RTL is held to. A chip splits M and N over its tiles on
the grid that finishes first. This is the ceiling of the array, exact when operands are there;
`weft_plans` says how far today's compiler stays above it.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from weft.fleet.machines import WeftArray
from weft.fleet.quantity import Num

__all__ = ["WeftGemmCounts", "weft_gemm_counts", "weft_tile_cycles"]


@dataclass(frozen=True, slots=True)
class WeftGemmCounts:
    """Integer counts of one chip-wide product (all batches)."""

    cycles: Num
    command_cycles: Num
    memory_bytes: Num
    macs: int
    scratchpad_bytes: float
    grid: tuple[int, int]
    """Tiles along M and along N."""


def weft_tile_cycles(m: int, k: int, n: int, rows: int, cols: int, fill: int) -> int:
    """Cycles of one tile for `(m, k) x (k, n)`, first operand read to last accumulator write."""
    blocks = math.ceil(k / rows) * math.ceil(n / cols)
    return rows + (blocks - 1) * max(m, rows) + m + fill


@lru_cache(maxsize=65536)
def _best_grid(
    tiles: int, m: int, k: int, n: int, rows: int, cols: int, batch: int, fill: int
) -> tuple[int, tuple[int, int]]:
    """Fewest cycles over all ways to share batch, M and N among the tiles, and the M x N grid."""
    best: tuple[int, tuple[int, int]] | None = None
    for per in (p for p in range(1, tiles + 1) if tiles % p == 0):
        rounds = math.ceil(batch / (tiles // per))
        for along_m in (d for d in range(1, per + 1) if per % d == 0):
            along_n = per // along_m
            part = weft_tile_cycles(
                math.ceil(m / along_m), k, math.ceil(n / along_n), rows, cols, fill
            )
            if best is None or rounds * part < best[0]:
                best = (rounds * part, (along_m, along_n))
    assert best is not None
    return best


def weft_gemm_counts(
    array: WeftArray,
    m: int,
    k: int,
    n: int,
    operand_bytes: float,
    out_bytes: float,
    batch: int = 1,
) -> WeftGemmCounts:
    """Counts of `batch` products on a whole chip.

    DRAM traffic: the operand that costs less stays in half of the chip's scratchpads, panel by
    panel, and the other is read once per panel (blocks are multicast, so a read serves all tiles).
    """
    cycles, grid = _best_grid(
        array.tiles, int(m), int(k), int(n), array.rows, array.cols, int(batch), array.fill_cycles
    )
    a, b, c = operand_bytes * m * k, operand_bytes * k * n, out_bytes * m * n
    room = array.scratchpad_bytes * array.tiles / 2
    traffic = min(a + b * math.ceil(a / room), b + a * math.ceil(b / room)) + c
    blocks = math.ceil(k / array.rows) * math.ceil(n / array.cols)
    return WeftGemmCounts(
        cycles=cycles,
        command_cycles=array.command_cycles,
        memory_bytes=float(batch) * traffic,
        macs=int(m) * int(k) * int(n) * int(batch),
        scratchpad_bytes=float(batch) * operand_bytes * (blocks * array.rows * (m + array.cols)),
        grid=grid,
    )
