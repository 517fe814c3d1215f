"""When the instructions of a microprogram run (``vector/processor/processor.py`` has the rules)."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import NamedTuple

from weft_hw.config import TileConfig
from weft_hw.formats.table import Format, units_per_row, units_per_vector
from weft_hw.vector.microcode import STRIP, Op

from ...golden.instructions import Decoded, Program
from ...golden.streams import Stream
from ..timing import TIMING
from .traffic import ArrayTraffic

__all__ = ["Place", "Schedule"]

#: vector/processor/lane.py DISTANCE: rows from a result to its use.
_DISTANCE = 6
#: vector/processor/issuer.py DEPTH: vectors on their way to the scratchpad.
_UNDER_WAY = 16
_LONG_AGO = -(10**9)


class Place(NamedTuple):
    """Where vectors of a stream lie, in units; a vector is ``rows`` rows of its memory."""

    unit: int
    row_stride: int
    block_stride: int
    per_row: int
    rows: int
    limit: int
    is_accumulator: bool

    @classmethod
    def of(cls, tile: TileConfig, stream: Stream) -> Place:
        """The place of a legal stream."""
        if stream.accumulator:
            per_row, rows, limit = 1, 1, tile.accumulator_rows
        else:
            code = Format(stream.code)
            per_row, rows = units_per_row(tile, code), units_per_vector(tile, code)
            limit = tile.scratchpad_rows
        strides = stream.row_stride, stream.block_stride
        return cls(stream.row, *strides, per_row, rows, limit, bool(stream.accumulator))

    def row(self, i: int, j: int) -> int:
        """First row of the vector (i, j)."""
        return (self.unit + i * self.row_stride + j * self.block_stride) // self.per_row

    def holds(self, row: int) -> bool:
        """Whether a vector that begins there lies in its memory."""
        return 0 <= row <= self.limit - self.rows


class Schedule:
    """One command, taken in ``cycle``. ``conflicts`` counts cycles that reads of the scratchpad
    waited for the array, ``drained`` accumulator rows read."""

    def __init__(
        self, tile: TileConfig, places: Sequence[Place], traffic: ArrayTraffic, cycle: int
    ) -> None:
        self.conflicts = 0
        self.drained = 0
        self._places = places
        self._traffic = traffic
        self._lookup_cycles = tile.array_cols + TIMING.processor_lookup
        self._there = cycle + TIMING.processor_first
        self._free = 0
        self._issued = cycle
        self._passed = cycle
        self._loaded = _LONG_AGO
        self._writes: deque[int] = deque([_LONG_AGO] * _UNDER_WAY, maxlen=_UNDER_WAY)
        self._low, self._high = 0, 0

    def run(self, program: Program, m: int, blocks: int) -> Generator[int, None, int]:
        """The cycle in which the end is offered.

        Yields the cycle in which it wants to go on: by then it is known what the array will do.
        """
        for first in range(0, m, STRIP):
            rows = min(STRIP, m - first)
            for number, segment in enumerate(program.segments):
                if number:
                    self._there += 1
                for block in range(blocks if segment.loop else 1):
                    if block:
                        self._there += 1
                    yield self._there
                    for step in segment.body:
                        fault = self._step(step, first, rows, block)
                        if fault is not None:
                            return self._end(fault)
            if program.fault is not None:
                return self._end(max(self._there, self._free))
            self._there += 1
        return self._end(self._there - 1)

    def _end(self, left: int) -> int:
        """What is under way ends; the program has ended in cycle ``left``."""
        last = max(self._issued + 1, self._loaded + 3, self._writes[-1] + 1)
        return max(left + 1, last) + 1

    def _step(self, step: Decoded, first: int, rows: int, block: int) -> int | None:
        """An instruction; the cycle of its fault, if it has one."""
        leaves = max(self._there, self._free)
        self._there = leaves + 1
        passed = max(leaves + 1, self._issued)
        fault = None
        if step.op is Op.LOAD:
            fault = self._load(self._places[step.stream], passed, first, rows, block)
        elif step.op is Op.STORE:
            fault = self._store(self._places[step.stream], passed, first, rows, block)
        elif step.op is Op.LOOKUP:
            self._pass(passed, rows * self._lookup_cycles)
            self._there = self._issued + 1
        else:
            self._pass(passed, rows)
        self._free = self._passed
        if rows < _DISTANCE:
            self._free = self._issued + _DISTANCE - rows - 1
        return fault

    def _pass(self, cycle: int, steps: int) -> None:
        """Steps that pass from ``cycle`` on, and are issued in the cycles after it."""
        self._passed = cycle + steps - 1
        self._issued = cycle + steps

    def _load(self, place: Place, passed: int, first: int, rows: int, block: int) -> int | None:
        top, bottom = place.row(first, block), place.row(first + rows - 1, block)
        inside = place.holds(top) and place.holds(bottom)
        if inside and self._is_smooth(place, min(top, bottom), max(top, bottom), passed):
            self._pass(passed, rows * place.rows)
            self._loaded = self._issued
            self.drained += rows * place.is_accumulator
            return None
        issued = self._issued
        for i in range(first, first + rows):
            row = place.row(i, block)
            if not place.holds(row):
                return max(issued, passed) + 1
            for part in range(place.rows):
                self._passed = max(passed, issued)
                issued = self._grant(place, row + part, self._passed)
                passed = self._passed + 1
        self._issued = self._loaded = issued
        return None

    def _is_smooth(self, place: Place, low: int, high: int, passed: int) -> bool:
        """Whether no read of rows ``low`` to ``high`` and their vectors can have to wait."""
        if place.is_accumulator:
            return not self._traffic.adds_among(low, high, passed)
        high += place.rows - 1
        if self._writes[-1] >= passed and low <= self._high and self._low <= high:
            return False
        return not self._traffic.reads_among(low, high, passed)

    def _grant(self, place: Place, row: int, passed: int) -> int:
        """The cycle in which the read of a row that passed is granted."""
        if place.is_accumulator:
            self.drained += 1
            return self._traffic.drain_from(row, passed + 1)
        asked = passed + 1
        if self._writes[-1] >= passed and self._low <= row <= self._high:
            asked = max(asked, self._writes[-1] + 1)
        granted = self._traffic.read_from(row, asked)
        self.conflicts += granted - asked
        return granted

    def _store(self, place: Place, passed: int, first: int, rows: int, block: int) -> int | None:
        for i in range(first, first + rows):
            row = place.row(i, block)
            passed = max(passed, self._writes[0] + 1)
            if not place.holds(row):
                return passed + 1
            last = row + place.rows - 1
            if self._writes[-1] < passed:
                self._low, self._high = row, last
            else:
                self._low, self._high = min(self._low, row), max(self._high, last)
            begin = max(passed + 1 + TIMING.processor_write, self._writes[-1] + 1)
            self._writes.append(begin + place.rows - 1)
            passed += 1
        self._pass(passed - 1, 1)
        return None
