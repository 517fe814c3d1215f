"""From values to the registers that hold them: linear scan over one level of loops."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import MicrocodeError

__all__ = ["Use", "allocate"]


@dataclass(frozen=True, slots=True)
class Use:
    """What an instruction does to values: numbers it reads and the one it writes."""

    reads: tuple[int, ...]
    writes: int | None


def _lifetimes(uses: Sequence[Use], loops: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """First and last instruction in which each value must be kept."""
    spans: dict[int, tuple[int, int]] = {}
    for number, use in enumerate(uses):
        touched = (*use.reads, *(() if use.writes is None else (use.writes,)))
        for value in touched:
            spans[value] = spans.get(value, (number, number))[0], number
    for value, (first, last) in spans.items():
        for begin, end in loops:
            # what comes into a loop must be there in each of its rounds
            if first < begin <= last <= end:
                spans[value] = first, end
    return spans


def allocate(
    uses: Sequence[Use], loops: Sequence[tuple[int, int]], registers: int
) -> dict[int, int]:
    """The register of each value.

    Parameters
    ----------
    uses : sequence of Use
        one for each instruction.
    loops : sequence of (int, int)
        numbers of the LOOP and NEXT instructions.
    registers : int
        that there are.

    Raises
    ------
    MicrocodeError
        if more values are alive at once than there are registers.
    """
    spans = _lifetimes(uses, loops)
    free = list(range(registers))
    placed: dict[int, int] = {}
    ending: dict[int, list[int]] = {}
    for value, (_, last) in spans.items():
        ending.setdefault(last, []).append(value)
    for number, use in enumerate(uses):
        # an operand that is not needed any more leaves its register to the result
        for value in ending.get(number, ()):
            if value in placed:
                heapq.heappush(free, placed[value])
        result = use.writes
        if result is not None and result not in placed:
            if not free:
                raise MicrocodeError(
                    f"a program must keep at most {registers} values at once, but instruction "
                    f"{number} needs one more; compute some later or again"
                )
            placed[result] = heapq.heappop(free)
            if spans[result][1] == number:
                heapq.heappush(free, placed[result])
    return placed
