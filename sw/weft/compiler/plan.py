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

from .choose import best_choice
from .order import interleave_by_time, interleave_prologues
from .program import Step, encode, link
from .share import ALONE, Sharing
from .task import Blocking, GemmTask, Part, check_sizes

__all__ = ["GemmPlan", "plan_gemm"]

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
    sharing: Sharing = ALONE
    """Which operands tiles load for each other."""
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
        how = f"; {self.sharing}" if self.sharing.sides else ""
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
            f"{self.bus_cycles} on the bus of the busiest memory endpoint",
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
    best = best_choice(config, shape, tiles, dram, resident)
    if best is None:
        raise ValueError(
            f"a {task.m} x {task.k} by {task.k} x {task.n} product must fit "
            + (
                "the scratchpad to be resident; use a smaller one or resident=False"
                if resident
                else f"the local memories of {config.name}; use a configuration with larger ones"
            )
        )
    programs, timed = best.programs(config, task)
    steps = interleave_by_time(programs, timed)
    prologue = interleave_prologues(programs)
    link(prologue)
    link(steps)
    slowest = max(timed, key=lambda one: one.cycles)
    return GemmPlan(
        task,
        best.parts,
        best.blocking,
        encode(prologue),
        encode(steps),
        slowest.cycles,
        slowest.array_cycles,
        slowest.bus_cycles,
        best.candidates,
        best.timing.sharing,
        tuple(prologue),
        tuple(steps),
    )
