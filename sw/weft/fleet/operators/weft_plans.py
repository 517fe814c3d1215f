"""What today's compiler makes of products on a Weft chip, over the closed form of its array.

`data/tables/weft_gemm_planned.csv` holds, for a grid of shapes on the preset `fleet`, the cycles
and DRAM bytes of the plan that the repository's compiler makes (its own cost model, which
`weft gemm` compares with the cycle model). Between the shapes of the grid, the ratios to the closed
form are interpolated in the logarithms of the sizes; beyond it they stay. A chip of another
geometry is read at sizes scaled to as many blocks a tile: an approximation.

`python -m weft.bench.fleet_plans` makes the table again.
"""

import csv
import math
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import resources

import numpy as np

from weft.fleet.errors import FleetError
from weft.fleet.machines import WeftArray
from weft.fleet.operators.gemm_weft import WeftGemmCounts, weft_gemm_counts

__all__ = ["TABLE", "as_compiled", "plan_ratios"]

TABLE = "weft_gemm_planned"


@dataclass(frozen=True, slots=True)
class _Grid:
    """Logarithms of the ratios planned / closed form on a regular grid of sizes."""

    array: WeftArray
    axes: tuple[np.ndarray, np.ndarray, np.ndarray]
    """Log2 of M, K, N."""
    cycles: np.ndarray
    memory_bytes: np.ndarray


@cache
def _grid() -> _Grid:
    path = resources.files("weft.fleet") / "data" / "tables" / f"{TABLE}.csv"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    sizes = [sorted({int(row[name]) for row in rows}) for name in ("m", "k", "n")]
    shape = tuple(len(values) for values in sizes)
    if len(rows) != math.prod(shape):
        raise FleetError(f"{TABLE}.csv must hold {math.prod(shape)} shapes, not {len(rows)}")
    first = rows[0]
    array = WeftArray(
        tiles=int(first["tiles"]),
        rows=int(first["array_rows"]),
        cols=int(first["array_cols"]),
        clock_hz=1.0,
        scratchpad_bytes=int(first["scratchpad_bytes"]),
        accumulator_bytes=0,
        command_cycles=0,
        fill_cycles=int(first["fill_cycles"]),
        port_bytes_per_cycle=int(first["port_bytes_per_cycle"]),
    )
    cycles, moved = np.empty(shape), np.empty(shape)
    for row in rows:
        m, k, n = (int(row[name]) for name in ("m", "k", "n"))
        at = (sizes[0].index(m), sizes[1].index(k), sizes[2].index(n))
        closed = weft_gemm_counts(array, m, k, n, 1.0, 1.0)
        bound = max(closed.cycles, closed.memory_bytes / array.port_bytes_per_cycle)
        cycles[at] = math.log(max(1.0, float(row["cycles"]) / bound))
        moved[at] = math.log(max(1.0, float(row["memory_bytes"]) / closed.memory_bytes))
    axes = (np.log2(sizes[0]), np.log2(sizes[1]), np.log2(sizes[2]))
    return _Grid(array, axes, cycles, moved)


@lru_cache(maxsize=65536)
def plan_ratios(m: float, k: float, n: float) -> tuple[float, float]:
    """Planned over closed-form cycles, and DRAM bytes, of `(m, k) x (k, n)` on the preset."""
    grid = _grid()
    values = (grid.cycles, grid.memory_bytes)
    for axis, size in zip(grid.axes, (m, k, n), strict=True):
        at = float(np.clip(math.log2(size), axis[0], axis[-1]))
        below = min(int(np.searchsorted(axis, at, side="right")) - 1, len(axis) - 2)
        part = (at - axis[below]) / (axis[below + 1] - axis[below])
        values = tuple((1 - part) * v[below] + part * v[below + 1] for v in values)
    return math.exp(float(values[0])), math.exp(float(values[1]))


def as_compiled(
    array: WeftArray, counts: WeftGemmCounts, m: int, k: int, n: int, batch: int
) -> WeftGemmCounts:
    """The counts between the closed form (`array.compiled_share` 0) and today's compiler (1).

    `batch` products count as one with as many times the columns: each has weights of its own.
    """
    reference = _grid().array
    side = math.sqrt(reference.tiles / array.tiles)
    cycles_x, bytes_x = plan_ratios(
        m * side * reference.rows / array.rows,
        k * reference.rows / array.rows,
        n * batch * side * reference.cols / array.cols,
    )
    bound = max(counts.cycles, counts.memory_bytes / array.port_bytes_per_cycle)
    share = array.compiled_share
    return replace(
        counts,
        cycles=counts.cycles * (bound * cycles_x / counts.cycles) ** share,
        memory_bytes=counts.memory_bytes * bytes_x**share,
    )
