"""Chooses how to compute a matrix product, and emits the program.

Candidates of ``Blocking`` are ranked by a roofline (array cycles against bytes moved), the best few
are emitted and timed by ``cost.estimate``, and the quickest wins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_sim.dram import Dram

from .candidates import blockings
from .cost import Timing, estimate
from .emit import tile_program
from .grid import grid, parts_of
from .order import interleave_by_operation, interleave_by_time, interleave_prologues
from .program import encode, link
from .share import Share, may_share
from .task import Blocking, GemmTask, Infeasible, Part, ceil_div, check_sizes
from .walk import k_unit

__all__ = ["GemmPlan", "plan_gemm"]

#: Blockings that are emitted and timed.
_FINALISTS = 6
#: Array operations a tile, up to which all variants of all finalists are timed.
_OPERATIONS = 300
#: Of modelled cycles, below which operands are shared.
_WORTH_SHARING = 1.0
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
    shared: bool = False
    """Whether one tile of each mesh row loads ``a`` for all of them."""

    def explain(self) -> str:
        """The plan as text."""
        task, blocking = self.task, self.blocking
        stays = "rows of a" if blocking.m_outer else "columns of b"
        if blocking.resident:
            stays = "all operands"
        how = "; a is shared by the tiles of a mesh row" if self.shared else ""
        kind = task.out_format.name.lower()
        if task.format is not Format.INT8:
            kind = f"{kind} ({'mx ' if task.scaled else ''}{task.format.name.lower()} operands)"
        lines = [
            f"{task.m} x {task.k} by {task.k} x {task.n} -> {kind} on {len(self.parts)} tile(s), "
            f"each about {self.parts[0].m} x {self.parts[0].n} of the result{how}",
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
    given: dict[str, Any] = {name: 0 for name in _NOWHERE if getattr(task, name) is not None}
    shape = replace(shape, **given)
    blocking, modelled, candidates = _choose(config, shape, alike, timing, resident)
    shared = False
    if not resident and may_share(config, parts, down, across):
        together = replace(timing, a_sharing=across)
        other, cycles, _ = _choose(config, shape, alike, together, resident)
        shared = cycles < _WORTH_SHARING * modelled
        blocking = other if shared else blocking
    programs = [
        tile_program(
            config,
            task,
            part,
            blocking,
            _lookahead(len(parts)),
            Share(part.tile[1], across, part.tile[0]) if shared else None,
        )
        for part in parts
    ]
    timed = [estimate(program.steps, timing) for program in programs]
    steps = interleave_by_operation(programs) if shared else interleave_by_time(programs, timed)
    prologue = interleave_prologues(programs)
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
        shared,
    )


@lru_cache(maxsize=512)
def _choose(
    config: ChipConfig, task: GemmTask, part: Part, timing: Timing, resident: bool
) -> tuple[Blocking, int, int]:
    """The blocking that the estimate likes best, its cycles, and how many candidates there were."""
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
                if timed is not None and (own is None or timed < own[0]):
                    own = (timed, variant)
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
    return best[1], best[0], len(found)


def _lookahead(tiles: int) -> int:
    """Operations ahead of the array for which operands are asked; few where many tiles share the
    dispatcher.
    """
    return 3 if tiles <= 4 else 2


def _try(
    config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking, timing: Timing
) -> int | None:
    """Modelled cycles; None if the blocking does not fit."""
    ahead, columns = _lookahead(timing.tiles), timing.a_sharing
    try:
        if columns == 1:
            return estimate(tile_program(config, task, part, blocking, ahead).steps, timing).cycles
        leading, following = (
            tile_program(config, task, part, blocking, ahead, Share(0, columns, column)).steps
            for column in (0, 1)
        )
    except Infeasible:
        return None
    leader = estimate(leading, timing)
    other = estimate(following, timing, leader.sent)
    bus = leader.bus_cycles + (timing.share - 1) * other.bus_cycles
    return max(leader.last_cycle, other.cycles, bus)


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
