"""Chooses how to compute a matrix product, and emits the program.

Candidates of ``Blocking`` are ranked by a roofline (array cycles against bytes moved), the best few
are emitted and timed by ``cost.estimate``, and the quickest wins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import merge
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_sim.dram import Dram

from .candidates import blockings
from .cost import Estimate, Timing, estimate
from .emit import TileProgram, tile_program
from .grid import grid, parts_of
from .program import Step, encode, link
from .task import Blocking, GemmTask, Infeasible, Part, ceil_div, check_sizes
from .walk import k_unit

__all__ = ["GemmPlan", "plan_gemm"]

#: Blockings that are emitted and timed.
_FINALISTS = 6
#: Array operations a tile, up to which all variants of all finalists are timed.
_OPERATIONS = 300
#: Addresses of a task.
_NOWHERE: dict[str, Any] = {
    "a_address": 0,
    "b_address": 0,
    "out_address": 0,
    "bias_address": None,
    "scale_address": None,
    "residual_address": None,
    "a_scales_address": None,
    "b_scales_address": None,
}


@dataclass(frozen=True, slots=True)
class GemmPlan:
    """A program and why it is what it is.

    ``prologue`` (empty unless resident) loads operands and must complete first; ``commands``
    computes. Both are (n, 64) uint8. ``modelled_cycles`` is the planner's guess, not a measurement.
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
        kind = task.out_format.name.lower()
        if task.format is not Format.INT8:
            kind = f"{kind} ({'mx ' if task.scaled else ''}{task.format.name.lower()} operands)"
        lines = [
            f"{task.m} x {task.k} by {task.k} x {task.n} -> {kind} on {len(self.parts)} tile(s), "
            f"each about {self.parts[0].m} x {self.parts[0].n} of the result",
            f"blocks of {blocking.m} x {blocking.n}, {blocking.k} operands at a time "
            f"(the first ones {blocking.first_k}); {stays} stay in the scratchpad; the last block "
            f"is halved {blocking.tail_m} times by rows, {blocking.tail_n} by columns",
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
    down, across = grid(config, task.m, task.k, task.n, len(tiles), task.format, task.out_format)
    parts = parts_of(config, task, tiles, down, across)
    used = {part.endpoint for part in parts}
    share = max(sum(part.endpoint == endpoint for part in parts) for endpoint in used)
    timing = Timing.of(config, dram, share, len(parts))
    shape = replace(task, **_NOWHERE)
    largest = max(parts, key=lambda part: (part.m * part.n, part.m))
    # what is best depends on sizes only, not on where operands lie or which tile it is
    alike = replace(largest, tile=(0, 0), endpoint=0, m0=0, n0=0)
    given = {name: 0 for name in _NOWHERE if getattr(task, name) is not None}
    blocking, candidates = _choose(config, replace(shape, **given), alike, timing, resident)
    programs = []
    for part in parts:
        programs.append(_fit(config, task, part, blocking, len(parts)))
    timed = [estimate(program.steps, timing) for program in programs]
    steps = _interleave(programs, timed)
    prologue = _interleave_prologues(programs)
    link(prologue)
    link(steps)
    slowest = max(timed, key=lambda one: one.cycles)
    return GemmPlan(
        task,
        parts,
        blocking,
        encode(prologue),
        encode(steps),
        slowest.cycles,
        slowest.array_cycles,
        slowest.bus_cycles,
        candidates,
    )


@lru_cache(maxsize=512)
def _choose(
    config: ChipConfig, task: GemmTask, part: Part, timing: Timing, resident: bool
) -> tuple[Blocking, int]:
    """The blocking that the estimate likes best, and how many candidates there were."""
    found = blockings(config, task, part, timing, resident)
    best: tuple[int, Blocking] | None = None
    tried = 0
    for blocking in found:
        # long programs are timed less often: their beginnings and ends matter less, too
        operations = (
            ceil_div(part.m, blocking.m)
            * ceil_div(part.n, blocking.n)
            * ceil_div(task.k, blocking.k)
        )
        worth = max(1, _FINALISTS * _OPERATIONS // max(_OPERATIONS, operations))
        if best is not None and tried >= worth:
            break
        own: tuple[int, Blocking] | None = None
        for vary in (_beginnings, _ends, _drains):
            base = own[1] if own else blocking
            for variant in vary(config, task, base, few=operations > _OPERATIONS):
                timed = _try(config, task, part, variant, timing)
                if timed is not None and (own is None or timed.cycles < own[0]):
                    own = (timed.cycles, variant)
        if own is not None and (best is None or own[0] < best[0]):
            best = own
        tried += own is not None
    if best is None:
        raise ValueError(
            f"a {task.m} x {task.k} by {task.k} x {task.n} product must fit "
            + (
                "the scratchpad to be resident; use a smaller one or resident=False"
                if resident
                else f"the local memories of {config.name}; use a configuration with larger ones"
            )
        )
    return best[1], len(found)


def _lookahead(tiles: int) -> int:
    """Operations ahead of the array for which operands are asked; few where many tiles share the
    dispatcher.
    """
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


def _beginnings(
    config: ChipConfig, task: GemmTask, blocking: Blocking, few: bool
) -> list[Blocking]:
    """The same blocking with early pieces of other sizes, and the smallest end."""
    unit = k_unit(config, task)
    firsts = {blocking.k}
    if not blocking.resident:
        firsts |= {size for size in (unit, 2 * unit, 4 * unit) if size < blocking.k}
    if few:
        firsts = {min(firsts)}
    return [
        replace(blocking, first_k=first, growth=growth, tail_m=3, tail_n=2)
        for first in sorted(firsts)
        for growth in ((3, 4) if first < blocking.k and not few else (4,))
    ]


def _ends(config: ChipConfig, task: GemmTask, blocking: Blocking, few: bool) -> list[Blocking]:
    """The same blocking with a last block cut otherwise."""
    if few:
        return []
    tails = ((0, 0), (1, 0), (2, 0), (3, 0), (1, 2), (2, 1), (4, 1))
    return [replace(blocking, tail_m=tail_m, tail_n=tail_n) for tail_m, tail_n in tails]


def _drains(config: ChipConfig, task: GemmTask, blocking: Blocking, few: bool) -> list[Blocking]:
    """The same blocking with its last results drained in more or fewer pieces."""
    return [] if few else [replace(blocking, tail_pieces=pieces) for pieces in (1, 4)]


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
