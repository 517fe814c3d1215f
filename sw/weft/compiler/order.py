"""One ring order for the programs of all tiles."""

from __future__ import annotations

from collections import Counter
from heapq import heapify, heappop, heappush

from weft_hw.isa import Opcode

from .emit import TileProgram
from .estimate import Estimate
from .program import Step, bits_of, receivers

__all__ = ["interleave_by_operation", "interleave_by_time", "interleave_prologues"]


def interleave_by_operation(programs: list[TileProgram]) -> list[Step]:
    """One order for all tiles, in which signals come before waits: by the number of array
    operations before each step.
    """
    streams = []
    for program in programs:
        operations, keyed = 0, []
        for step in program.steps:
            keyed.append((operations, step))
            operations += step.opcode is Opcode.MATMUL
        streams.append(keyed)
    return _merge(streams)


def interleave_by_time(programs: list[TileProgram], timed: list[Estimate]) -> list[Step]:
    """One ring order for all tiles: by the time each step is wanted, each tile's own order kept;
    a step that waits for other tiles comes after the stores that say so.
    """
    streams = []
    for program, times in zip(programs, timed, strict=True):
        latest, keyed = 0, []
        for step, start in zip(program.steps, times.starts, strict=True):
            # results wait in their queues; only loads and matmuls say how far a tile has come
            if step.engine.value < 2 or step.wait:
                latest = max(latest, start)
            keyed.append((latest, step))
        streams.append(keyed)
    return _merge(streams)


def _merge(streams: list[list[tuple[int, Step]]]) -> list[Step]:
    """Steps by rising keys; ``Step.wait`` holds only what other tiles give."""
    found: list[Step] = []
    given: Counter[tuple[tuple[int, int], int]] = Counter()
    # key, number in its stream, stream: where each of them stands
    heads = [(keyed[0][0], 0, at) for at, keyed in enumerate(streams) if keyed]
    heapify(heads)
    held: dict[tuple[int, int], tuple[int, int, int]] = {}
    while heads:
        head = heappop(heads)
        _, number, at = head
        step = streams[at][number][1]
        wanted = [(step.tile, bit) for bit in bits_of(step.wait)]
        if any(given[one] == 0 for one in wanted):
            held[step.tile] = head
            continue
        given.subtract(wanted)
        found.append(step)
        if number + 1 < len(streams[at]):
            heappush(heads, (streams[at][number + 1][0], number + 1, at))
        for tile in receivers(step):
            for bit in bits_of(step.fields["remote_signal"]):
                given[tile, bit] += 1
            if tile in held:
                heappush(heads, held.pop(tile))
    assert not held
    return found


def interleave_prologues(programs: list[TileProgram]) -> list[Step]:
    """Tiles by turns."""
    longest = max(len(program.prologue) for program in programs)
    return [
        program.prologue[number]
        for number in range(longest)
        for program in programs
        if number < len(program.prologue)
    ]
