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
    engine: Engine
    wait: tuple[int, ...]
    signal: tuple[int, ...]


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
    tiles: dict[tuple[int, int], list[_Row]] = {}
    for index, bytes_of in enumerate(rows):
        command = unpack(bytes_of)
        if command.opcode is Opcode.FENCE:
            continue
        engine = command.engine
        if engine is None:
            raise ValueError(f"command {index} has no known opcode: {command_text(command)}")
        tiles.setdefault(command.tile, []).append(
            _Row(index, engine, _bits(command.fields["wait"]), _bits(command.fields["signal"]))
        )
    largest = 0
    for tile, program in tiles.items():
        counts = _in_order(tile, program)
        if balanced and any(counts):
            left = next(number for number, count in enumerate(counts) if count)
            raise ValueError(
                f"tile {tile} must leave semaphore {left} at 0, not {counts[left]}; "
                "signal only what is waited for"
            )
        for engine in Engine:
            largest = max(largest, *_lagging(program, engine))
        if largest > SEMAPHORE_MAX:
            raise ValueError(
                f"tile {tile} can raise a semaphore to {largest}, above {SEMAPHORE_MAX}; "
                "make the engine that signals wait for the one that takes"
            )
    return ProgramCheck(len(rows), largest)


def _bits(mask: int) -> tuple[int, ...]:
    return tuple(number for number in range(_SEMAPHORES) if mask >> number & 1)


def _in_order(tile: tuple[int, int], program: list[_Row]) -> list[int]:
    counts = [0] * _SEMAPHORES
    for row in program:
        for number in row.wait:
            if counts[number] == 0:
                who = f"command {row.index} ({row.engine.name.lower()} of tile {tile})"
                raise ValueError(
                    f"{who} waits for semaphore {number}, which no earlier command signals; "
                    "put the signal before it"
                )
            counts[number] -= 1
        for number in row.signal:
            counts[number] += 1
    return counts


def _lagging(program: list[_Row], lazy: Engine) -> list[int]:
    """Largest counts when ``lazy`` moves only if nobody else can."""
    queues = {engine: [row for row in program if row.engine is engine] for engine in Engine}
    position = dict.fromkeys(Engine, 0)
    counts = [0] * _SEMAPHORES
    largest = [0] * _SEMAPHORES
    eager = [engine for engine in Engine if engine is not lazy]

    def step(engine: Engine) -> bool:
        queue = queues[engine]
        if position[engine] == len(queue):
            return False
        row = queue[position[engine]]
        if any(counts[number] == 0 for number in row.wait):
            return False
        for number in row.wait:
            counts[number] -= 1
        for number in row.signal:
            counts[number] += 1
            largest[number] = max(largest[number], counts[number])
        position[engine] += 1
        return True

    while True:
        moved = False
        for engine in eager:
            while step(engine):
                moved = True
        if not moved and not step(lazy):
            return largest
