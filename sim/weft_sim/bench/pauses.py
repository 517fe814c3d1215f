"""Pause patterns for stream agents: endless iterators of bool, true for a cycle in which the agent
holds back.
"""

from collections.abc import Iterator
from itertools import chain, cycle, repeat

import numpy as np

__all__ = ["bursts", "never", "pattern", "random_pauses", "stall_for"]


def never() -> Iterator[bool]:
    """Full speed."""
    return repeat(False)


def pattern(bits: str) -> Iterator[bool]:
    """Repeats ``bits``: "1" pauses, "0" goes. ``pattern("110")`` goes every third cycle."""
    if not bits or set(bits) - {"0", "1"} or "0" not in bits:
        raise ValueError(f"bits must be of 0 and 1 with at least one 0, not {bits!r}")
    return cycle([bit == "1" for bit in bits])


def stall_for(cycles: int) -> Iterator[bool]:
    """Pauses for ``cycles`` cycles, then goes at full speed."""
    return chain(repeat(True, cycles), repeat(False))


def random_pauses(rng: np.random.Generator, probability: float) -> Iterator[bool]:
    """Pauses each cycle with ``probability``, independently."""
    if not 0 <= probability < 1:
        raise ValueError(f"probability must be in [0, 1), not {probability}")
    while True:
        yield from (rng.random(1024) < probability).tolist()


def bursts(rng: np.random.Generator, going: float, pausing: float) -> Iterator[bool]:
    """Goes and pauses for geometrically distributed times of the given means in cycles."""
    if going < 1 or pausing < 1:
        raise ValueError(f"going and pausing must be at least 1 cycle, not {going} and {pausing}")
    while True:
        yield from repeat(False, int(rng.geometric(1 / going)))
        yield from repeat(True, int(rng.geometric(1 / pausing)))
