"""One ring order for the programs of all tiles."""

from __future__ import annotations

from heapq import merge

from .cost import Estimate
from .emit import TileProgram
from .program import Step

__all__ = ["interleave_by_operation", "interleave_by_time", "interleave_prologues"]


def interleave_by_time(programs: list[TileProgram], timed: list[Estimate]) -> list[Step]:
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


def interleave_prologues(programs: list[TileProgram]) -> list[Step]:
    """Tiles by turns."""
    longest = max(len(program.prologue) for program in programs)
    return [
        program.prologue[number]
        for number in range(longest)
        for program in programs
        if number < len(program.prologue)
    ]


def interleave_by_operation(programs: list[TileProgram]) -> list[Step]:
    """By the array operation that each step serves, tiles in the order given: what a leader sends
    for an operation comes before it, and credits for one come before what waits for them.
    """
    keyed = [
        ((operation, tile, number), step)
        for tile, program in enumerate(programs)
        for number, (operation, step) in enumerate(
            zip(program.operations, program.steps, strict=True)
        )
    ]
    return [step for _, step in sorted(keyed, key=lambda item: item[0])]
