"""When the instructions of a microprogram are done (``vector/processor``)."""

from __future__ import annotations

from collections.abc import Sequence

from weft_hw.config import TileConfig
from weft_hw.formats.table import Format, units_per_vector
from weft_hw.vector.microcode import REGISTERS, STRIP, Op

from ...golden.instructions import SETS_MASK, Decoded, Segment
from ...golden.streams import Stream

__all__ = ["Schedule"]

#: vector/processor: cycles from an instruction's row to the next use of its result.
_LATENCY = 6
#: Rounds of a loop after which its pace is taken to be steady.
_SETTLED = 3
_MASK = REGISTERS


class Schedule:
    """Issues instructions in order, a row at a time, each once what it reads has been written."""

    def __init__(self, tile: TileConfig, streams: Sequence[Stream], cycle: int) -> None:
        self.cycle = cycle
        self._lookup_cycles = tile.array_cols
        self._beats = [
            1 if stream.accumulator else units_per_vector(tile, Format(stream.code))
            for stream in streams
        ]
        self._written = [0] * (REGISTERS + 1)

    def strips(self, segments: Sequence[Segment], m: int, blocks: int) -> int:
        """All strips of M rows; the cycle of the last result."""
        for first in range(0, m, STRIP):
            rows = min(STRIP, m - first)
            for segment in segments:
                if segment.loop:
                    self._loop(segment.body, rows, blocks)
                else:
                    self._steps(segment.body, rows)
                self.cycle += 1
        return max(self.cycle, *self._written)

    def _loop(self, body: Sequence[Decoded], rows: int, blocks: int) -> None:
        rounds = min(blocks, _SETTLED)
        began = self.cycle
        for _ in range(rounds):
            began = self.cycle
            self._steps(body, rows)
            self.cycle += 1
        left = (blocks - rounds) * (self.cycle - began)
        self.cycle += left
        self._written = [cycle + left for cycle in self._written]

    def _steps(self, body: Sequence[Decoded], rows: int) -> None:
        for step in body:
            reads = (*step.sources, _MASK) if step.op is Op.SELECT else step.sources
            begin = max([self.cycle, *(self._written[register] for register in reads)])
            self.cycle = begin + rows * self._pace(step)
            result = _MASK if step.op in SETS_MASK else step.result
            if result is not None:
                self._written[result] = begin + _LATENCY

    def _pace(self, step: Decoded) -> int:
        """Cycles a row."""
        if step.op is Op.LOOKUP:
            return self._lookup_cycles
        return self._beats[step.stream] if step.op in (Op.LOAD, Op.STORE) else 1
