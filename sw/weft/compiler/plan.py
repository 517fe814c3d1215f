"""Chooses how to compute a matrix product, and emits the program.

Candidates of ``Blocking`` are ranked by a roofline (array cycles against bytes moved), the best few are emitted and timed
by ``cost.estimate``, and the quickest wins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import merge

import numpy as np
from weft_hw.config import ChipConfig
from weft_sim.dram import Dram

from .candidates import blockings
from .cost import Estimate, Timing, array_cycles, estimate
from .emit import TileProgram, tile_program
from .program import Step, encode, link
from .task import Blocking, GemmTask, Infeasible, Part, ceil_div, check_sizes, split

__all__ = ["GemmPlan", "plan_gemm"]

#: Blockings that are emitted and timed.
_FINALISTS = 6
#: Above so many operations a tile, the roofline alone decides.
_MANY_OPERATIONS = 20_000


@dataclass(frozen=True, slots=True)
class GemmPlan:
    """A program and why it is what it is.

    ``prologue`` (empty unless resident) loads operands and must complete first; ``commands`` computes. Both are (n, 64)
    uint8. ``modelled_cycles`` is the planner's guess, not a measurement.
    """

    task: GemmTask
    parts: tuple[Part, ...]
    blocking: Blocking
    prologue: np.ndarray
    commands: np.ndarray
    modelled_cycles: int
    array_cycles: int
    bus_cycles: int
    candidates: int

    def explain(self) -> str:
        """The plan as text."""
        task, blocking = self.task, self.blocking
        stays = "rows of a" if blocking.m_outer else "columns of b"
        if blocking.resident:
            stays = "all operands"
        kind = "int32" if task.out_bytes == 4 else "int8"
        lines = [
            f"{task.m} x {task.k} by {task.k} x {task.n} -> {kind} on {len(self.parts)} tile(s), "
            f"each about {self.parts[0].m} x {self.parts[0].n} of the result",
            f"blocks of {blocking.m} x {blocking.n}, {blocking.k} operands at a time "
            f"(the first ones {blocking.first_k}); {stays} stay in the scratchpad; the last block is "
            f"halved {blocking.tail_m} times by rows, {blocking.tail_n} by columns",
            f"{len(self.commands)} commands ({len(self.prologue)} before them); best of "
            f"{self.candidates} candidates",
            f"modelled: {self.modelled_cycles} cycles, of them {self.array_cycles} in the array; "
            f"{self.bus_cycles} on the memory bus of the busiest tile",
        ]
        return "\n".join(lines)


def plan_gemm(
    config: ChipConfig,
    task: GemmTask,
    dram: Dram,
    *,
    tiles: tuple[tuple[int, int], ...] | None = None,
    resident: bool = False,
) -> GemmPlan:
    """The quickest program found for ``task``.

    Parameters
    ----------
    tiles
        Tiles to use at most; None for all.
    resident
        Load all operands in a prologue.

    Raises
    ------
    ValueError
        if K is too large, or resident operands do not fit the scratchpad.
    """
    check_sizes(task, config)
    if tiles is None:
        tiles = tuple((x, y) for y in range(config.mesh.rows) for x in range(config.mesh.cols))
    down, across = _grid(config, task.m, task.k, task.n, len(tiles))
    parts = _parts(config, task, tiles, down, across)
    used = {part.endpoint for part in parts}
    share = max(sum(part.endpoint == endpoint for part in parts) for endpoint in used)
    timing = Timing.of(config, dram, share, len(parts))
    largest = max(parts, key=lambda part: (part.m * part.n, part.m))
    found = blockings(config, task, largest, timing, resident)
    best: tuple[int, Blocking] | None = None
    for blocking in found[:_FINALISTS] if len(found) > 1 else found:
        for variant in _variants(config, blocking):
            timed = _try(config, task, largest, variant, timing)
            if timed is not None and (best is None or timed.cycles < best[0]):
                best = (timed.cycles, variant)
            if timed is not None and len(timed.starts) > _MANY_OPERATIONS:
                break
        if best is not None and array_cycles_of(config, task, largest) > 50_000_000:
            break
    if best is None:
        for blocking in found[_FINALISTS:]:
            if (timed := _try(config, task, largest, blocking, timing)) is not None:
                best = (timed.cycles, blocking)
                break
    if best is None:
        raise ValueError(
            f"a {task.m} x {task.k} by {task.k} x {task.n} product must fit "
            + (
                "the scratchpad to be resident; use a smaller one or resident=False"
                if resident
                else f"the local memories of {config.name}; use a configuration with larger ones"
            )
        )
    programs = []
    for part in parts:
        programs.append(_fit(config, task, part, best[1], len(parts)))
    timed = [estimate(program.steps, timing) for program in programs]
    steps = _interleave(programs, timed)
    prologue = _interleave_prologues(programs)
    link(prologue)
    link(steps)
    slowest = max(timed, key=lambda one: one.cycles)
    return GemmPlan(
        task,
        parts,
        best[1],
        encode(prologue),
        encode(steps),
        slowest.cycles,
        slowest.array_cycles,
        slowest.bus_cycles,
        len(found),
    )


def array_cycles_of(config: ChipConfig, task: GemmTask, part: Part) -> int:
    """Array cycles of a part computed in one piece."""
    return array_cycles(part.m, task.k, part.n, config.tile.array_rows, config.tile.array_cols)


def _lookahead(tiles: int) -> int:
    """Operations ahead of the array for which operands are asked; few where many tiles share the dispatcher."""
    return 3 if tiles <= 4 else 2


def _try(
    config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking, timing: Timing
) -> Estimate | None:
    try:
        program = tile_program(config, task, part, blocking, _lookahead(timing.tiles))
    except Infeasible:
        return None
    return estimate(program.steps, timing)


def _fit(
    config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking, tiles: int
) -> TileProgram:
    """The program of one part; smaller parts fit wherever the largest does."""
    return tile_program(config, task, part, blocking, _lookahead(tiles))


def _variants(config: ChipConfig, blocking: Blocking) -> list[Blocking]:
    """The same blocking with early and late pieces of other sizes."""
    rows = config.tile.array_rows
    firsts = {blocking.k} if blocking.resident else {blocking.k, 2 * rows, 4 * rows}
    found = []
    for first in sorted(firsts):
        if first <= blocking.k:
            for tail_m, tail_n in ((0, 0), (2, 0), (3, 0), (1, 2), (3, 2)):
                found.append(replace(blocking, first_k=first, tail_m=tail_m, tail_n=tail_n))
    return found


@lru_cache(maxsize=256)
def _grid(config: ChipConfig, m: int, k: int, n: int, tiles: int) -> tuple[int, int]:
    """Parts down and across: least array cycles of the largest part, then least operands for it."""
    rows, cols = config.tile.array_rows, config.tile.array_cols
    best = None
    for down in range(1, min(tiles, m) + 1):
        across = min(tiles // down, ceil_div(n, cols))
        part_m = ceil_div(m, down)
        part_n = min(n, ceil_div(ceil_div(n, cols), across) * cols)
        # parts of fewer rows than the array cost as much as full ones: use fewer tiles then
        cost = (array_cycles(part_m, k, part_n, rows, cols), part_m + part_n, down * across)
        if best is None or cost < best[0]:
            best = (cost, (down, across))
    assert best is not None
    return best[1]


def _parts(
    config: ChipConfig, task: GemmTask, tiles: tuple[tuple[int, int], ...], down: int, across: int
) -> tuple[Part, ...]:
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


def _interleave(programs: list[TileProgram], timed: list[Estimate]) -> list[Step]:
    """One ring order for all tiles: by the time each step is wanted, each tile's own order kept."""
    streams = []
    for tile, (program, times) in enumerate(zip(programs, timed, strict=True)):
        latest, keyed = 0, []
        for number, (step, start) in enumerate(zip(program.steps, times.starts, strict=True)):
            # results wait in their queues; only loads and matmuls say how far a tile has come
            if step.engine.value < 2:
                latest = max(latest, start)
            keyed.append(((latest, number, tile), step))
        streams.append(keyed)
    return [step for _, step in merge(*streams, key=lambda item: item[0])]


def _interleave_prologues(programs: list[TileProgram]) -> list[Step]:
    longest = max(len(program.prologue) for program in programs)
    return [
        program.prologue[number]
        for number in range(longest)
        for program in programs
        if number < len(program.prologue)
    ]
