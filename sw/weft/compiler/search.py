"""The blocking of one part: candidates ranked by a roofline, the best few emitted and timed."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from weft_hw.config import ChipConfig

from .candidates import blockings
from .cost import Timing
from .emit import tile_program
from .estimate import estimate
from .share import SIDES
from .task import Blocking, GemmTask, Infeasible, Part, ceil_div
from .walk import k_unit

__all__ = ["choose_blocking", "lookahead"]

#: Blockings that are emitted and timed; where operands are shared, which takes longer.
_FINALISTS, _FINALISTS_SHARED = 6, 3
#: Array operations a tile, up to which all variants of all finalists are timed.
_OPERATIONS = 300


@lru_cache(maxsize=512)
def choose_blocking(
    config: ChipConfig, task: GemmTask, part: Part, timing: Timing, resident: bool
) -> tuple[Blocking, int, int]:
    """The blocking that the estimate likes best, its cycles, and how many candidates there were.

    Raises
    ------
    Infeasible
        if none fits.
    """
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
        finalists = _FINALISTS_SHARED if timing.sharing.sides else _FINALISTS
        worth = max(1, finalists * _OPERATIONS // max(_OPERATIONS, operations))
        if best is not None and tried >= worth:
            break
        own: tuple[int, Blocking] | None = None
        variants = (_beginnings, _pieces) if part.group else (_beginnings, _ends, _drains)
        for vary in variants[:2] if timing.sharing.sides else variants:
            base = own[1] if own else blocking
            for variant in vary(config, task, part, base, few=operations > _OPERATIONS):
                timed = _try(config, task, part, variant, timing)
                if timed is not None and (own is None or timed < own[0]):
                    own = (timed, variant)
        if own is not None and (best is None or own[0] < best[0]):
            best = own
        tried += own is not None
    if best is None:
        raise Infeasible
    return best[1], best[0], len(found)


def lookahead(tiles: int) -> int:
    """Operations ahead of the array for which operands are asked; few where many tiles share the
    dispatcher.
    """
    return 3 if tiles <= 4 else 2


def _try(
    config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking, timing: Timing
) -> int | None:
    """Modelled cycles; None if the blocking does not fit."""
    sharing = timing.sharing if timing.sharing.sides else None
    everyone = None
    if sharing is not None:
        everyone = {
            side: sharing.streams(config, side, timing.share)
            for side in SIDES
            if sharing.tiles(side) > 1
        }
    ahead = lookahead(timing.tiles)
    try:
        program = tile_program(config, task, part, blocking, ahead, sharing, everyone)
    except Infeasible:
        return None
    return estimate(program.steps, timing, part.tile).cycles


def _beginnings(
    config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking, few: bool
) -> list[Blocking]:
    """The same blocking with early pieces of other sizes, and the smallest end."""
    unit = k_unit(config, task)
    firsts = {blocking.k}
    if not blocking.resident:
        firsts |= {size for size in (unit, 2 * unit, 4 * unit) if size < blocking.k}
    if few:
        firsts = {min(firsts)}
    base = replace(blocking, tail_m=3, tail_n=2)
    if part.group:
        base = replace(blocking, pieces=len(part.group))
    return [
        replace(base, first_k=first, growth=growth)
        for first in sorted(firsts)
        for growth in ((3, 4) if first < blocking.k and not few else (4,))
    ]


def _ends(
    config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking, few: bool
) -> list[Blocking]:
    """The same blocking with a last block cut otherwise."""
    if few:
        return []
    tails = ((0, 0), (1, 0), (2, 0), (3, 0), (1, 2), (2, 1), (4, 1))
    return [replace(blocking, tail_m=tail_m, tail_n=tail_n) for tail_m, tail_n in tails]


def _drains(
    config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking, few: bool
) -> list[Blocking]:
    """The same blocking with its last results drained in more or fewer pieces."""
    return [] if few else [replace(blocking, tail_pieces=pieces) for pieces in (1, 4)]


def _pieces(
    config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking, few: bool
) -> list[Blocking]:
    """The same blocking with partial sums added up by fewer tiles, or the last block cut."""
    tiles = len(part.group)
    counts = [count for count in (1, 2, 4, 8, 16) if count < tiles]
    return [
        replace(blocking, pieces=count, tail_m=tail_m)
        for tail_m in (0, 1)
        for count in (*counts, tiles)
    ]
