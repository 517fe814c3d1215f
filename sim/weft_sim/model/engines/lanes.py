"""When the vector engine reads accumulator rows and ends commands: walks of whole blocks.

Three agents walk a command (``vector/engine.py``): the drain reads accumulator rows, the parameter
fetch brings bias and scale of the next block, the residual fetch runs up to 20 rows ahead. The
last two share one read port, parameters first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

from ..timing import TIMING
from .load_writes import LoadWrites
from .traffic import ArrayTraffic
from .write_queue import WriteQueue

__all__ = ["LanePipeline", "VectorShape"]

_LONG_AGO = -(10**9)
#: vector/requantiser/residuals.py DEPTH: residual rows asked for and not used.
_RESIDUALS_AHEAD = 20
#: vector/requantiser/requantiser.py _DEPTH: output rows from their accumulator rows' reads to their
#: writes.
_OUTPUT_ROWS = 24
#: Rows planned in one go: what the array takes on meanwhile is not seen by them.
_ROWS_AT_ONCE = 32
#: The same of rows with residuals, in cycles: a command that the array takes on reads no activation
#: for longer than that, and one that the vector engine takes on no parameter.
_CYCLES_AHEAD = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorShape:
    """What a command asks of the pipeline.

    ``parts`` scratchpad rows hold an accumulator row of int32; ``parameter_rows`` those of a vector
    of N; ``units`` int8 units, in which residuals are counted, are a scratchpad row. The other rows
    and strides are the command's.
    """

    rows: int
    blocks: int
    parts: int
    units: int
    parameter_rows: int
    int32: bool
    bias: bool
    residual: bool
    acc_row: int
    acc_stride: int
    bias_row: int
    scale_row: int
    residual_row: int
    residual_stride: int
    out_row: int
    out_stride: int
    out_banks: int
    """Banks of the rows written, a bit each; ``out_row`` counts as residuals do if not int32."""

    @property
    def fetches(self) -> bool:
        """Whether it has parameters."""
        return self.bias or not self.int32

    @property
    def pace(self) -> int:
        """Cycles from one accumulator row to the next."""
        return self.parts if self.int32 else 1

    def output(self, block: int, row: int) -> int:
        """The first scratchpad row written of a row of a block."""
        first = self.out_row + row * self.out_stride + block * self.pace
        return first if self.int32 else first // self.units


class LanePipeline:
    """State between commands; all cycles count from chip reset.

    The array's reads and the load engine's writes go first in every bank; ``conflicts`` counts
    cycles lost to reads in the scratchpad. ``writes`` holds rows that may meet loads.
    """

    def __init__(
        self,
        traffic: ArrayTraffic,
        loads: LoadWrites,
        upcoming: Callable[[], tuple[int, VectorShape] | None],
    ) -> None:
        self.traffic = traffic
        self.writes = WriteQueue(loads, _OUTPUT_ROWS)
        self._loads = loads
        #: the command behind the one that is planned, checked, and when it is offered
        self._upcoming = upcoming
        self.accepts_from = 0
        self.conflicts = 0
        self.flush(_LONG_AGO)

    def flush(self, cycle: int) -> None:
        """Nothing is inside at ``cycle``."""
        self.last_read = cycle
        self.writes.clear()
        self._next_read = 0
        self._fetch_free = 0
        self._consumed = _LONG_AGO
        self._scale_free = _LONG_AGO
        self._drained = 0
        self._after_int8 = True
        self._residual_next = 0
        self._asked = 0
        self._horizon = cycle
        #: the command behind has been taken by the parameter fetch, and when its first block is
        #: there
        self._fetched: tuple[int, int] | None = None
        self._pops: deque[int] = deque()
        self._fetches: deque[tuple[int, int]] = deque(maxlen=4)

    def plan(self, offer: int, shape: VectorShape) -> Generator[int, None, int]:
        """A checked command that is offered from ``offer`` on, a few rows at a time.

        Yields the cycle in which it wants to go on: by then it is known what the array will do.
        ``accepts_from`` is right from the first of them on. Returns the cycle of the last write.
        """
        drain_taken = max(offer, self.last_read)
        self._next_read = max(self._next_read, drain_taken + 1)
        alone = shape.int32 and self._after_int8
        if alone:
            self._next_read = max(self._next_read, self._drained)
        self._after_int8 = not shape.int32
        fetch_taken = residual_taken = offer
        fetches = shape.fetches
        ready = 0
        if fetches:
            fetch_taken, ready = self._fetched or self._fetch_first(offer, shape)
            self._fetched = None
        if shape.residual:
            residual_taken = max(offer, self._residual_next)
            self._residual_next = residual_taken + 1
        self.accepts_from = max(drain_taken, fetch_taken, residual_taken) + 1
        if alone:
            yield self._look(shape)
            self._next_read = max(self._next_read, 1 + (yield from self.writes.last()))
        for block in range(shape.blocks):
            yield self._look(shape)
            if fetches:
                first = max(self._next_read, ready)
                if shape.residual:
                    take = self._residual((shape.residual_row + block) // shape.units)
                    first = max(first, take + TIMING.vector_residual)
                first = self.traffic.drain_from(shape.acc_row + block * shape.acc_stride, first)
                self._next_read = self._consumed = first
                if not shape.int32:
                    self._scale_free = first + TIMING.vector_scale_copy
                if block + 1 < shape.blocks:
                    ready = self._fetch(shape, first + 1, block + 1)
            if shape.residual:
                for row in range(shape.rows):
                    if block + 1 == shape.blocks and self._fetched is None:
                        self._fetch_upcoming()
                    while self._next_residual > self._horizon:
                        yield self._look(shape)
                    if self._meets_loads(shape):
                        self._next_read = yield from self.writes.room(self._next_read)
                    self._read_with_residual(shape, block, row)
                continue
            for begin in range(0, shape.rows, _ROWS_AT_ONCE):
                if begin:
                    yield self._look(shape)
                end = min(shape.rows, begin + _ROWS_AT_ONCE)
                if self._meets_loads(shape):
                    yield from self._read_with_loads(shape, block, begin, end)
                else:
                    self._read_rows(shape, block, begin, end)
        self.last_read = self._next_read - shape.pace
        after = TIMING.vector_write_int32 if shape.int32 else TIMING.vector_write
        self._drained = self.last_read + after + shape.pace
        return self._drained

    def _fetch_first(self, offer: int, shape: VectorShape) -> tuple[int, int]:
        """When the parameter fetch takes a command, and when its first block is there."""
        taken = max(offer, self._fetch_free)
        return taken, self._fetch(shape, taken + 1, 0)

    def _fetch_upcoming(self) -> None:
        """The parameters of the next command go before the residuals of this one."""
        command = self._upcoming()
        if command is not None and command[1].fetches:
            self._fetched = self._fetch_first(*command)

    def _look(self, shape: VectorShape) -> int:
        """The cycle before the next row is asked for."""
        look = (self._next_residual if shape.residual else self._next_read) - 1
        self._horizon = look + _CYCLES_AHEAD
        return look

    @property
    def _next_residual(self) -> int:
        """The first cycle in which the read port can take the next residual row."""
        take = self._residual_next
        if len(self._pops) >= _RESIDUALS_AHEAD:
            take = max(take, self._pops[0] + 1)
        for begin, end in self._fetches:
            if begin <= take < end:
                take = end
        return take

    def _fetch(self, shape: VectorShape, loaded: int, block: int) -> int:
        """Asks for the parameters of a block; the first cycle in which its first row can be
        read.
        """
        before = shape.parts * block
        part = min(shape.parts, shape.parameter_rows - before)
        take = max(loaded, self._consumed + 1)
        if shape.bias:
            take = self._take(shape.bias_row + before, part, take)
        if not shape.int32:
            take = self._take(shape.scale_row + before, part, max(take, self._scale_free))
        self._fetch_free = take
        return take + TIMING.vector_fetch

    def _take(self, row: int, count: int, cycle: int) -> int:
        """Parameter rows taken by the read port from ``cycle`` on; the cycle after the last."""
        begin = cycle
        if self.traffic.reads_among(row, row + count - 1, cycle):
            for number in range(count):
                cycle = self._granted(row + number, cycle) + 1
        else:
            cycle += count
        self._fetches.append((begin, cycle))
        banks = self.traffic.scratchpad.banks_of(row, row + count - 1)
        self.traffic.vector.add(begin + 1, cycle - begin, banks)
        return cycle

    def _granted(self, row: int, take: int) -> int:
        """A row taken by the port in ``take`` is asked for in the next cycle, and may have to
        wait.
        """
        granted = self.traffic.read_from(row, take + 1) - 1
        self.conflicts += granted - take
        return granted

    def _residual(self, row: int) -> int:
        """The cycle in which the read port takes the next residual row."""
        take = self._asked = self._next_residual
        granted = self.traffic.read_from(row, take + 1) - 1
        bank = self.traffic.scratchpad.bank(row)
        self.traffic.vector.add(take + 1, granted + 1 - take, 1 << bank)
        return granted

    def _read_rows(self, shape: VectorShape, block: int, begin: int, end: int) -> None:
        """Rows ``begin..end - 1`` of a block, from ``_next_read`` on."""
        first = shape.acc_row + block * shape.acc_stride
        if self.traffic.adds_among(first + begin, first + end - 1, self._next_read):
            for row in range(begin, end):
                self._next_read = self.traffic.drain_from(first + row, self._next_read) + shape.pace
        else:
            self._next_read += (end - begin) * shape.pace

    def _meets_loads(self, shape: VectorShape) -> bool:
        """Whether rows may have to wait until loads have written theirs."""
        return bool(self.writes.waits or self._loads.banks() & shape.out_banks)

    def _read_with_loads(
        self, shape: VectorShape, block: int, begin: int, end: int
    ) -> Generator[int, None, None]:
        """Rows ``begin..end - 1`` of a block, each when there is room for what becomes of it."""
        first = shape.acc_row + block * shape.acc_stride
        for row in range(begin, end):
            read = yield from self.writes.room(self._next_read, shape.pace)
            read = self.traffic.drain_from(first + row, read)
            self._write(shape, block, row, read)
            self._next_read = read + shape.pace

    def _write(self, shape: VectorShape, block: int, row: int, read: int) -> None:
        """What becomes of a row read in cycle ``read`` will be written."""
        after = TIMING.vector_write_int32 if shape.int32 else TIMING.vector_write
        output = shape.output(block, row)
        for part in range(shape.pace):
            self.writes.add(output + part, 1, read + after + part)

    def _read_with_residual(self, shape: VectorShape, block: int, row: int) -> None:
        unit = shape.residual_row + block + row * shape.residual_stride
        take = self._residual(unit // shape.units)
        self.conflicts += take - self._asked
        self._residual_next = take + 1
        if len(self._pops) >= _RESIDUALS_AHEAD:
            self._pops.popleft()
        read = max(self._next_read, take + TIMING.vector_residual)
        read = self.traffic.drain_from(shape.acc_row + block * shape.acc_stride + row, read)
        if self._meets_loads(shape):
            self._write(shape, block, row, read)
        self._pops.append(read + TIMING.vector_residual_use)
        self._next_read = read + 1
