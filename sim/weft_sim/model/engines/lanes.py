"""When the vector engine reads accumulator rows and ends commands: walks of whole blocks.

Three agents walk a command (``vector/engine.py``): the drain reads accumulator rows, the parameter
fetch brings bias and scale of the next block, the residual fetch runs up to 20 rows ahead. The
last two share one read port, parameters first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..timing import TIMING

__all__ = ["LanePipeline", "VectorShape"]

_LONG_AGO = -(10**9)
#: vector/residuals.py DEPTH: residual rows asked for and not used.
_RESIDUALS_AHEAD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorShape:
    """What a command asks of the pipeline.

    ``parts`` scratchpad rows hold an accumulator row of int32; ``parameter_rows`` those of a vector
    of N.
    """

    rows: int
    blocks: int
    parts: int
    parameter_rows: int
    int32: bool
    bias: bool
    residual: bool

    @property
    def pace(self) -> int:
        """Cycles from one accumulator row to the next."""
        return self.parts if self.int32 else 1


class LanePipeline:
    """State between commands; all cycles count from chip reset."""

    def __init__(self) -> None:
        self.accepts_from = 0
        self.flush(_LONG_AGO)

    def flush(self, cycle: int) -> None:
        """Nothing is inside at ``cycle``."""
        self.last_read = cycle
        self._next_read = 0
        self._fetch_free = 0
        self._consumed = _LONG_AGO
        self._scale_free = _LONG_AGO
        self._drained = 0
        self._after_int8 = True
        self._residual_next = 0
        self._pops: deque[int] = deque()
        self._fetches: deque[tuple[int, int]] = deque(maxlen=4)

    def run(self, cycle: int, shape: VectorShape) -> int:
        """A checked command taken in ``cycle``; the cycle in which its last row is written."""
        offer = cycle + TIMING.vector_checked
        drain_taken = max(offer, self.last_read)
        self._next_read = max(self._next_read, drain_taken + 1)
        if shape.int32 and self._after_int8:
            self._next_read = max(self._next_read, self._drained)
        self._after_int8 = not shape.int32
        fetch_taken = offer
        fetches = shape.bias or not shape.int32
        if fetches:
            fetch_taken = max(offer, self._fetch_free)
        residual_taken = offer
        if shape.residual:
            residual_taken = max(offer, self._residual_next)
            self._residual_next = residual_taken + 1
        ready = self._fetch(shape, fetch_taken + 1, 0) if fetches else 0
        for block in range(shape.blocks):
            if fetches:
                first = max(self._next_read, ready)
                if shape.residual:
                    first = max(first, self._residual() + TIMING.vector_residual)
                self._next_read = self._consumed = first
                if not shape.int32:
                    self._scale_free = first + TIMING.vector_scale_copy
                if block + 1 < shape.blocks:
                    ready = self._fetch(shape, first + 1, block + 1)
            if shape.residual:
                self._rows_with_residuals(shape.rows)
            else:
                self._next_read += shape.rows * shape.pace
        self.last_read = self._next_read - shape.pace
        after = TIMING.vector_write_int32 if shape.int32 else TIMING.vector_write
        self._drained = self.last_read + after + shape.pace
        self.accepts_from = max(drain_taken, fetch_taken, residual_taken) + 1
        return self._drained

    def _fetch(self, shape: VectorShape, loaded: int, block: int) -> int:
        """Asks for the parameters of a block; the first cycle in which its first row can be read."""
        part = min(shape.parts, shape.parameter_rows - shape.parts * block)
        take = max(loaded, self._consumed + 1)
        if shape.bias:
            self._fetches.append((take, take + part))
            take += part
        if not shape.int32:
            start = max(take, self._scale_free)
            self._fetches.append((start, start + part))
            take = start + part
        self._fetch_free = take
        return take + TIMING.vector_fetch

    def _residual(self) -> int:
        """The cycle in which the next residual row is taken by the read port."""
        take = self._residual_next
        if len(self._pops) >= _RESIDUALS_AHEAD:
            take = max(take, self._pops[0] + 1)
        for begin, end in self._fetches:
            if begin <= take < end:
                take = end
        return take

    def _rows_with_residuals(self, rows: int) -> None:
        for _ in range(rows):
            take = self._residual()
            self._residual_next = take + 1
            if len(self._pops) >= _RESIDUALS_AHEAD:
                self._pops.popleft()
            read = max(self._next_read, take + TIMING.vector_residual)
            self._pops.append(read + TIMING.vector_residual_use)
            self._next_read = read + 1
