"""Chooses how to compute a matrix product, and emits the program.

Candidates of ``Blocking`` are ranked by a roofline (array cycles against bytes moved), the best few
are emitted and timed by ``cost.estimate``, and the quickest wins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_sim.dram import Dram

from .along_k import along_k, may_split_k
from .cost import Timing, estimate, timed_together
from .emit import tile_program
from .grid import Grid, grids, parts_of
from .order import interleave_by_time, interleave_prologues
from .program import Step, encode, link
from .search import choose_blocking, lookahead
from .share import Share, may_share
from .task import Blocking, GemmTask, Infeasible, Part, check_sizes

__all__ = ["GemmPlan", "plan_gemm"]

#: Of modelled cycles, below which operands are shared, and K is split: sums in another order, and
#: more commands, should gain something.
_WORTH_SHARING, _WORTH_SPLITTING = 1.0, 0.95
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
    prologue_steps: tuple[Step, ...] = ()
    steps: tuple[Step, ...] = ()
    """What ``prologue`` and ``commands`` encode."""

    @property
    def name(self) -> str:
        """For reports."""
        return f"{self.task.m} x {self.task.k} x {self.task.n}"

    @property
    def k_lengths(self) -> tuple[int, ...]:
        """Operands along K of each tile of a group, in order: how partial sums come about (see
        ``weft_sim.golden.matmul_split``). One number if K is not split.
        """
        group = self.parts[0].group
        return (
            tuple(part.k for part in self.parts if part.group == group) if group else (self.task.k,)
        )

    def explain(self) -> str:
        """The plan as text."""
        task, blocking = self.task, self.blocking
        stays = "rows of a" if blocking.m_outer else "columns of b"
        if blocking.resident:
            stays = "all operands"
        how = "; a is shared by the tiles of a mesh row" if self.shared else ""
        if len(self.k_lengths) > 1:
            how = (
                f"; {len(self.k_lengths)} tiles share K, and partial sums of a block are added up "
                f"in {blocking.pieces} pieces"
            )
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
    # what is best depends on sizes only, not on where operands lie
    given: dict[str, Any] = {name: 0 for name in _NOWHERE if getattr(task, name) is not None}
    shape = replace(replace(task, **_NOWHERE), **given)
    split_k = not resident and may_split_k(config, task)
    best: _Choice | None = None
    for one in grids(config, shape, len(tiles), split_k):
        found = _choose(config, shape, parts_of(config, task, tiles, one), one, dram, resident)
        if found is None:
            continue
        worth = _WORTH_SPLITTING if best is not None and best.grid.depth == 1 else 1.0
        if best is None or found.cycles < worth * best.cycles:
            best = found
    if best is None:
        raise ValueError(
            f"a {task.m} x {task.k} by {task.k} x {task.n} product must fit "
            + (
                "the scratchpad to be resident; use a smaller one or resident=False"
                if resident
                else f"the local memories of {config.name}; use a configuration with larger ones"
            )
        )
    parts, timing = best.parts, best.timing
    programs = [
        tile_program(
            config,
            along_k(config, task, part),
            part,
            best.blocking,
            lookahead(len(parts)),
            Share(part.tile[1], best.grid.across, part.tile[0]) if best.shared else None,
        )
        for part in parts
    ]
    if best.shared:
        rows = [
            programs[at : at + best.grid.across] for at in range(0, len(programs), best.grid.across)
        ]
        timed = [
            one for row in rows for one in timed_together((each.steps for each in row), timing)
        ]
    else:
        timed = [estimate(program.steps, timing) for program in programs]
    steps = interleave_by_time(programs, timed)
    prologue = interleave_prologues(programs)
    link(prologue)
    link(steps)
    slowest = max(timed, key=lambda one: one.cycles)
    return GemmPlan(
        task,
        parts,
        best.blocking,
        encode(prologue),
        encode(steps),
        slowest.cycles,
        slowest.array_cycles,
        slowest.bus_cycles,
        best.candidates,
        best.shared,
        tuple(prologue),
        tuple(steps),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """How the parts of a grid are best computed, and the modelled cycles of that."""

    grid: Grid
    parts: tuple[Part, ...]
    timing: Timing
    blocking: Blocking
    cycles: int
    candidates: int
    shared: bool


def _choose(
    config: ChipConfig,
    shape: GemmTask,
    parts: tuple[Part, ...],
    one: Grid,
    dram: Dram,
    resident: bool,
) -> _Choice | None:
    """The best for a grid; None if nothing fits."""
    used = {part.endpoint for part in parts}
    share = max(sum(part.endpoint == endpoint for part in parts) for endpoint in used)
    timing = Timing.of(config, dram, share, len(parts))
    largest = max(parts, key=lambda part: (part.m * part.n * part.k, part.m))
    depth = len(largest.group)
    # which tile it is does not matter, nor where its part lies
    alike = replace(
        largest, tile=(0, 0), endpoint=0, m0=0, n0=0, k0=0,
        group=tuple((place, 0) for place in range(depth)),
    )  # fmt: skip
    own = along_k(config, shape, alike)
    try:
        blocking, cycles, candidates = choose_blocking(config, own, alike, timing, resident)
    except Infeasible:
        return None
    best = _Choice(one, parts, timing, blocking, cycles, candidates, False)
    if not resident and depth == 0 and may_share(config, parts, one.down, one.across):
        together = replace(timing, a_sharing=one.across)
        try:
            blocking, cycles, _ = choose_blocking(config, own, alike, together, resident)
        except Infeasible:
            return best
        if cycles < _WORTH_SHARING * best.cycles:
            best = replace(best, blocking=blocking, cycles=cycles, shared=True)
    return best
