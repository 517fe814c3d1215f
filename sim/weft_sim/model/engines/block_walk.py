"""Where the array's agents are in the commands handed to them, block by block."""

from __future__ import annotations

from collections import deque
from copy import copy
from typing import NamedTuple, Self

from ..timing import TIMING
from .shapes import MatmulShape

__all__ = ["AHEAD", "BlockWalk", "Entrant", "ScaleWalk"]

#: array/scale_reader.py _AHEAD: rows of scales in the memory or waiting.
AHEAD = 2


class Entrant(NamedTuple):
    """A command: the cycle from which on the array's agents may work at it; cycles for which its
    first row, and a column of blocks, keep away from the rows before.
    """

    shape: MatmulShape
    offered: int
    gap: int
    column_gap: int


class BlockWalk:
    """Where an agent is: in which command (None once all that are known are done), in which block
    of it; ``blocks`` are behind it.
    """

    def __init__(self) -> None:
        self.command: Entrant | None = None
        self.waiting: deque[Entrant] = deque()
        self.n = self.k = self.blocks = 0

    def copy(self) -> Self:
        other = copy(self)
        other.waiting = self.waiting.copy()
        return other

    def add(self, entrant: Entrant) -> None:
        self.waiting.append(entrant)
        if self.command is None:
            self.command = self.waiting.popleft()

    def step(self) -> bool:
        """On to the next block; whether it is another command's."""
        assert self.command is not None
        shape = self.command.shape
        self.blocks += 1
        self.k += 1
        if self.k == shape.k_blocks:
            self.k, self.n = 0, self.n + 1
            if self.n == shape.n_blocks:
                self.n = 0
                self.command = self.waiting.popleft() if self.waiting else None
                return True
        return False


class ScaleWalk(BlockWalk):
    """A reader of scales, ``AHEAD`` rows ahead: of weights, or of activations."""

    def __init__(self, weights: bool) -> None:
        super().__init__()
        self.weights = weights
        self.chunk = self.held = 0
        self.freed = -1
        self.usable: deque[int] = deque()

    def copy(self) -> Self:
        other = super().copy()
        other.usable = self.usable.copy()
        return other

    def add(self, entrant: Entrant) -> None:
        if entrant.shape.scales is not None:
            super().add(entrant)

    def row(self, cycle: int) -> int | None:
        """The scratchpad row that is asked for in a cycle."""
        command = self.command
        if command is None or self.held + (self.freed == cycle) >= AHEAD:
            return None
        scales = command.shape.scales
        if scales is None or cycle < command.offered:
            return None
        return scales.w(self.n, self.k) if self.weights else scales.a(self.k, self.chunk)

    def grant(self, cycle: int) -> None:
        self.held += 1
        self.usable.append(cycle + TIMING.scale_ready)
        assert self.command is not None
        shape = self.command.shape
        assert shape.scales is not None
        self.chunk += 1
        if self.weights or self.chunk * shape.scales.per_row >= shape.m:
            self.chunk = 0
            self.step()

    def there(self, cycle: int) -> bool:
        return bool(self.usable) and self.usable[0] <= cycle

    def free(self, cycle: int) -> None:
        """Used for the last time; there is room from the next cycle on."""
        self.usable.popleft()
        self.held -= 1
        self.freed = cycle
