"""How a product is shared out, and how its parts are computed: the quickest by estimate."""

from __future__ import annotations

from dataclasses import dataclass, replace

from weft_hw.config import ChipConfig
from weft_sim.dram import Dram

from .along_k import along_k, may_split_k
from .cost import Timing
from .emit import TileProgram, tile_program
from .estimate import Estimate, estimate, timed
from .grid import Grid, grids, parts_of
from .order import interleave_by_operation
from .search import choose_blocking, lookahead
from .share import Sharing
from .task import Blocking, GemmTask, Infeasible, Part

__all__ = ["Choice", "best_choice"]

#: Of modelled cycles, below which operands are shared, and K is split: more commands, and sums in
#: another order, should gain something.
_WORTH_SHARING, _WORTH_SPLITTING = 0.95, 0.95
#: Cycles that are worth sharing too: a few per cent of a large product are beyond the estimate's
#: doubt, which lies in its beginning and end.
_WORTH_CYCLES = 2000
#: Of the least modelled cycles, up to which choices with shared operands are timed tile by tile.
_NEAR = 1.15


@dataclass(frozen=True, slots=True)
class Choice:
    """How the parts of a grid are best computed, and the modelled cycles of that."""

    grid: Grid
    parts: tuple[Part, ...]
    timing: Timing
    blocking: Blocking
    cycles: int
    candidates: int

    def programs(
        self, config: ChipConfig, task: GemmTask
    ) -> tuple[list[TileProgram], list[Estimate]]:
        """Each tile's program, and its estimate."""
        sharing = self.timing.sharing if self.timing.sharing.sides else None
        found = [
            tile_program(
                config,
                along_k(config, task, part),
                part,
                self.blocking,
                lookahead(len(self.parts)),
                sharing,
            )
            for part in self.parts
        ]
        if sharing is None:
            return found, [
                estimate(program.steps, self.timing, program.part.tile) for program in found
            ]
        # every tile is there, so none has to stand for others
        alone = replace(self.timing, share=1)
        by_tile = timed(interleave_by_operation(found), alone)
        return found, [by_tile[program.part.tile] for program in found]


def best_choice(
    config: ChipConfig,
    shape: GemmTask,
    tiles: tuple[tuple[int, int], ...],
    dram: Dram,
    resident: bool,
) -> Choice | None:
    """The best of the grids; None if nothing fits. ``shape``: a task whose addresses say nothing
    but which operands there are.
    """
    split_k = not resident and may_split_k(config, shape)
    found: list[Choice] = []
    for one, sharing, least_cycles in grids(config, shape, tiles, split_k, not resident):
        if sharing.sides and found and least_cycles > _worth_sharing(found[0]):
            continue
        choice = _choose(config, shape, tiles, one, sharing, dram, resident)
        if choice is not None:
            found.append(choice)
    if not found:
        return None
    least = min(choice.cycles for choice in found)
    best: Choice | None = None
    for choice in found:
        if choice.cycles > _NEAR * least:
            continue
        if choice.timing.sharing.sides and len(found) > 1:
            _, timed_all = choice.programs(config, shape)
            choice = replace(choice, cycles=max(one.cycles for one in timed_all))
        if best is None or choice.cycles < _limit(choice, best):
            best = choice
    return best


def _limit(choice: Choice, best: Choice) -> float:
    """Cycles below which ``choice`` is better than ``best``."""
    if choice.grid.depth > 1:
        return _WORTH_SPLITTING * best.cycles
    if choice.timing.sharing.sides and not best.timing.sharing.sides and best.grid.depth == 1:
        return _worth_sharing(best)
    return best.cycles


def _worth_sharing(plain: Choice) -> float:
    """Cycles below which shared operands are worth their commands."""
    return max(_WORTH_SHARING * plain.cycles, plain.cycles - _WORTH_CYCLES)


def _choose(
    config: ChipConfig,
    shape: GemmTask,
    tiles: tuple[tuple[int, int], ...],
    one: Grid,
    sharing: Sharing,
    dram: Dram,
    resident: bool,
) -> Choice | None:
    """The best for a grid; None if nothing fits."""
    parts = parts_of(config, shape, tiles, one)
    used = {part.endpoint for part in parts}
    share = max(sum(part.endpoint == endpoint for part in parts) for endpoint in used)
    timing = Timing.of(config, dram, share, len(parts), sharing)
    largest = max(parts, key=lambda part: (part.m * part.n * part.k, part.m))
    # which tile it is does not matter, nor where its part lies
    alike = replace(
        largest, tile=(0, 0), endpoint=0, m0=0, n0=0, k0=0,
        group=tuple((place, 0) for place in range(len(largest.group))),
    )  # fmt: skip
    try:
        blocking, cycles, candidates = choose_blocking(
            config, along_k(config, shape, alike), alike, timing, resident
        )
    except Infeasible:
        return None
    return Choice(one, parts, timing, blocking, cycles, candidates)
