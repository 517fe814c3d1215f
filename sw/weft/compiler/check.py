"""Proves of a program that it cannot deadlock and overflows no semaphore, whatever the timing.

The rule (``weft_hw.isa``): a program in which every wait is met by signals of commands earlier in
ring order cannot deadlock. Running the commands one after the other in ring order shows whether
that holds.

Bounds: in a program that keeps the rule, a semaphore that joins one engine to another holds most
when the engine that takes from it lags as far as it can. So each tile is run once per engine with
that engine moving only when no other can; queue depths, which hold engines back, are ignored, so
the bound is safe.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from weft_hw.isa import SEMAPHORE_MAX, Engine, Opcode

from ..commands import as_array, unpack
from ..disasm import command_text

__all__ = ["ProgramCheck", "check_program"]

_SEMAPHORES = 16


@dataclass(frozen=True, slots=True)
class ProgramCheck:
    """What a program was found to be: commands, and the most any semaphore can hold."""

    commands: int
    largest_count: int


@dataclass(slots=True)
class _Row:
    index: int
    tile: tuple[int, int]
    engine: Engine
    wait: tuple[int, ...]
    signal: tuple[int, ...]
    tiles: tuple[tuple[int, int], ...]
    """Other tiles (or this one) to which it signals ``remote``."""
    remote: tuple[int, ...]


#: A semaphore of a tile.
_Counts = dict[tuple[int, int], list[int]]


def check_program(
    commands: Iterable[bytes] | np.ndarray, *, balanced: bool = False
) -> ProgramCheck:
    """Checks a program that starts with all semaphores zero.

    ``balanced`` also demands that it leaves them zero, so that it may be followed by any other.

    Raises
    ------
    ValueError
        naming the command whose wait nobody earlier meets, the semaphore that can overflow, or is
        left over.
    """
    rows = as_array(commands)
    program: list[_Row] = []
    for index, bytes_of in enumerate(rows):
        command = unpack(bytes_of)
        if command.opcode is Opcode.FENCE:
            continue
        engine = command.engine
        if engine is None:
            raise ValueError(f"command {index} has no known opcode: {command_text(command)}")
        fields = command.fields
        remote = _bits(fields["remote_signal"]) if fields.get("to_tiles") else ()
        program.append(
            _Row(
                index,
                command.tile,
                engine,
                _bits(fields["wait"]),
                _bits(fields["signal"]),
                _rectangle(fields) if remote else (),
                remote,
            )
        )
    for tile, counts in _in_order(program).items():
        if balanced and any(counts):
            left = next(number for number, count in enumerate(counts) if count)
            raise ValueError(
                f"tile {tile} must leave semaphore {left} at 0, not {counts[left]}; "
                "signal only what is waited for"
            )
    largest = 0
    for group in _groups(program):
        for tile in dict.fromkeys(row.tile for row in group):
            for engine in Engine:
                found = _lagging(group, (tile, engine))
                largest = max(largest, *found.values(), 0)
                if largest > SEMAPHORE_MAX:
                    where = max(found, key=lambda one: found[one])
                    raise ValueError(
                        f"tile {where[0]} can raise a semaphore to {largest}, above "
                        f"{SEMAPHORE_MAX}; make the engine that signals wait for the one that takes"
                    )
    return ProgramCheck(len(rows), largest)


def _bits(mask: int) -> tuple[int, ...]:
    return tuple(number for number in range(_SEMAPHORES) if mask >> number & 1)


def _rectangle(fields: dict[str, int]) -> tuple[tuple[int, int], ...]:
    return tuple(
        (x, y)
        for y in range(fields["y_first"], fields["y_last"] + 1)
        for x in range(fields["x_first"], fields["x_last"] + 1)
    )


def _groups(program: list[_Row]) -> list[list[_Row]]:
    """Programs of tiles that signal each other, apart from the others."""
    group_of: dict[tuple[int, int], tuple[int, int]] = {}

    def root(tile: tuple[int, int]) -> tuple[int, int]:
        while group_of.setdefault(tile, tile) != tile:
            tile = group_of[tile]
        return tile

    for row in program:
        for other in row.tiles:
            group_of[root(other)] = root(row.tile)
    groups: dict[tuple[int, int], list[_Row]] = {}
    for row in program:
        groups.setdefault(root(row.tile), []).append(row)
    return list(groups.values())


def _in_order(program: list[_Row]) -> _Counts:
    """Semaphores after the commands, one after the other in ring order."""
    counts: _Counts = {}
    for row in program:
        mine = counts.setdefault(row.tile, [0] * _SEMAPHORES)
        for number in row.wait:
            if mine[number] == 0:
                who = f"command {row.index} ({row.engine.name.lower()} of tile {row.tile})"
                raise ValueError(
                    f"{who} waits for semaphore {number}, which no earlier command signals; "
                    "put the signal before it"
                )
            mine[number] -= 1
        for number in row.signal:
            mine[number] += 1
        for tile in row.tiles:
            theirs = counts.setdefault(tile, [0] * _SEMAPHORES)
            for number in row.remote:
                theirs[number] += 1
    return counts


def _lagging(
    program: list[_Row], lazy: tuple[tuple[int, int], Engine]
) -> dict[tuple[tuple[int, int], int], int]:
    """Largest counts, by tile and semaphore, when one engine moves only if nobody else can."""
    queues: dict[tuple[tuple[int, int], Engine], list[_Row]] = {}
    for row in program:
        queues.setdefault((row.tile, row.engine), []).append(row)
    position = dict.fromkeys(queues, 0)
    counts: dict[tuple[tuple[int, int], int], int] = {}
    largest: dict[tuple[tuple[int, int], int], int] = {}
    eager = [queue for queue in queues if queue != lazy]

    def give(tile: tuple[int, int], numbers: tuple[int, ...]) -> None:
        for number in numbers:
            key = (tile, number)
            counts[key] = counts.get(key, 0) + 1
            largest[key] = max(largest.get(key, 0), counts[key])

    def step(which: tuple[tuple[int, int], Engine]) -> bool:
        queue = queues.get(which, [])
        if not queue or position[which] == len(queue):
            return False
        row = queue[position[which]]
        if any(counts.get((row.tile, number), 0) == 0 for number in row.wait):
            return False
        for number in row.wait:
            counts[row.tile, number] -= 1
        give(row.tile, row.signal)
        for tile in row.tiles:
            give(tile, row.remote)
        position[which] += 1
        return True

    while True:
        moved = False
        for which in eager:
            while step(which):
                moved = True
        if not moved and not step(lazy):
            return largest
