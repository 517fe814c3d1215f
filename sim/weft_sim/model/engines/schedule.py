"""When the instructions of a microprogram run (``vector/processor/processor.py`` has the rules)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import NamedTuple

from weft_hw.config import TileConfig
from weft_hw.formats.table import Format, units_per_row, units_per_vector
from weft_hw.vector.microcode import STRIP, Op

from ...golden.instructions import Decoded, Program
from ...golden.streams import Stream
from ..timing import TIMING
from .load_writes import LoadWrites
from .traffic import ArrayTraffic
from .write_queue import WriteQueue

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
    """One command, taken in ``cycle``. ``drained`` counts accumulator rows read.

    All generators yield the cycle in which they want to go on: by then it is known what the array
    and the load engine do.
    """

    def __init__(
        self,
        tile: TileConfig,
        places: Sequence[Place],
        traffic: ArrayTraffic,
        loads: LoadWrites,
        cycle: int,
    ) -> None:
        self._conflicts = 0
        self.drained = 0
        self._places = places
        self._traffic = traffic
        self._lookup_cycles = tile.array_cols + TIMING.processor_lookup
        self._there = cycle + TIMING.processor_first
        self._free = 0
        self._issued = cycle
        self._passed = cycle
        self._loaded = _LONG_AGO
        self._writes = WriteQueue(loads, _UNDER_WAY)
        self._low, self._high = 0, 0

    @property
    def conflicts(self) -> int:
        """Cycles in which reads waited for the array, or writes for loads."""
        return self._conflicts + self._writes.conflicts

    def run(self, program: Program, m: int, blocks: int) -> Generator[int, None, int]:
        """The cycle in which the end is offered."""
        for first in range(0, m, STRIP):
            rows = min(STRIP, m - first)
            for number, segment in enumerate(program.segments):
                if number:
                    self._there += 1
                for block in range(blocks if segment.loop else 1):
                    if block:
                        self._there += 1
                    for step in segment.body:
                        fault = yield from self._step(step, first, rows, block)
                        if fault is not None:
                            return (yield from self._end(fault))
            if program.fault is not None:
                return (yield from self._end(max(self._there, self._free)))
            self._there += 1
        return (yield from self._end(self._there - 1))

    def _end(self, left: int) -> Generator[int, None, int]:
        """What is under way ends; the program has ended in cycle ``left``."""
        written = yield from self._writes.last()
        return max(left + 1, self._issued + 1, self._loaded + 3, written + 1) + 1

    def _step(
        self, step: Decoded, first: int, rows: int, block: int
    ) -> Generator[int, None, int | None]:
        """An instruction; the cycle of its fault, if it has one."""
        leaves = max(self._there, self._free)
        self._there = leaves + 1
        passed = max(leaves + 1, self._issued)
        fault = None
        if step.op is Op.LOAD:
            fault = yield from self._load(self._places[step.stream], passed, first, rows, block)
        elif step.op is Op.STORE:
            fault = yield from self._store(self._places[step.stream], passed, first, rows, block)
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

    def _load(
        self, place: Place, passed: int, first: int, rows: int, block: int
    ) -> Generator[int, None, int | None]:
        top, bottom = place.row(first, block), place.row(first + rows - 1, block)
        low, high = min(top, bottom), max(top, bottom) + place.rows - 1
        inside = place.holds(top) and place.holds(bottom)
        touches = not place.is_accumulator and low <= self._high and self._low <= high
        if not touches or not (yield from self._writes.under_way(passed)):
            touches = False
            if inside and not place.is_accumulator:
                # unless the array comes in the way
                yield passed
                banks = self._traffic.scratchpad.banks_of(low, high)
                self._traffic.vector.add(passed + 1, rows * place.rows, banks)
            yield passed + rows * place.rows - 1
            if inside and self._is_smooth(place, low, high, passed):
                self._pass(passed, rows * place.rows)
                self._loaded = self._issued
                self.drained += rows * place.is_accumulator
                return None
        self._traffic.vector.cut(passed + 1)
        issued = self._issued
        for i in range(first, first + rows):
            row = place.row(i, block)
            if not place.holds(row):
                return max(issued, passed) + 1
            for part in range(place.rows):
                self._passed = max(passed, issued)
                asked = self._passed + 1
                if (
                    touches
                    and self._low <= row + part <= self._high
                    and (yield from self._writes.under_way(self._passed))
                ):
                    asked = max(asked, 1 + (yield from self._writes.last()))
                issued = yield from self._granted(place, row + part, asked)
                passed = self._passed + 1
        self._issued = self._loaded = issued
        return None

    def _is_smooth(self, place: Place, low: int, high: int, passed: int) -> bool:
        """Whether no read of rows ``low`` to ``high`` has to wait for the array."""
        if place.is_accumulator:
            return not self._traffic.adds_among(low, high, passed)
        return not self._traffic.reads_among(low, high, passed)

    def _granted(self, place: Place, row: int, asked: int) -> Generator[int, None, int]:
        """The cycle in which the read of a row that is asked for is granted."""
        traffic = self._traffic
        read_from = traffic.drain_from if place.is_accumulator else traffic.read_from
        before, granted = -1, asked
        while granted > before:
            yield granted - 1
            before, granted = granted, read_from(row, granted)
        if place.is_accumulator:
            self.drained += 1
        else:
            self._conflicts += granted - asked
            traffic.vector.add(asked, granted + 1 - asked, 1 << traffic.scratchpad.bank(row))
        return granted

    def _store(
        self, place: Place, passed: int, first: int, rows: int, block: int
    ) -> Generator[int, None, int | None]:
        for i in range(first, first + rows):
            row = place.row(i, block)
            passed = yield from self._writes.room(passed)
            if not place.holds(row):
                return passed + 1
            last = row + place.rows - 1
            if (yield from self._writes.under_way(passed)):
                self._low, self._high = min(self._low, row), max(self._high, last)
            else:
                self._low, self._high = row, last
            self._writes.add(row, place.rows, passed + 1 + TIMING.processor_write)
            passed += 1
        self._pass(passed - 1, 1)
        return None
