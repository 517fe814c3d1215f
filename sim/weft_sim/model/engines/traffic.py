"""Which scratchpad and accumulator banks the array uses, cycle by cycle, as closed forms.

Among the readers of a bank the array's activations win, then its weights, then the vector engine,
then stores; in the accumulator the array's updates win (``memory/scratchpad.py``,
``accumulator.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass

from weft_hw.array.operand import decodes
from weft_hw.array.systolic import array_latency
from weft_hw.config import TileConfig
from weft_hw.memory.port import READ_LATENCY

from ..local import LocalMemory
from .vector_reads import VectorReads

__all__ = ["ArrayTraffic", "BlockRun"]

#: Cycles for which a single read is remembered, and commands whose single reads nobody asked for.
_REMEMBERED, _UNKNOWN = 1024, 8


def _busy_until(
    memory: LocalMemory, first: int, stride: int, steps: int, bank: int, step: int
) -> int | None:
    """Of a walk of ``steps`` rows ``stride`` apart from ``first`` on, one a cycle: the step after
    the run of rows in ``bank`` that holds ``step``; None if that is elsewhere.
    """
    row, size = first + step * stride, memory.bank_rows
    if row // size != bank:
        return None
    if stride > 0:
        left = -(-((bank + 1) * size - row) // stride)
    elif stride < 0:
        left = (row - bank * size) // -stride + 1
    else:
        left = steps
    return min(steps, step + left)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRun:
    """Blocks of a matmul command that start ``period`` cycles apart from cycle ``start`` on."""

    start: int
    period: int
    blocks: int
    m: int
    k_blocks: int
    first_block: int
    pad: LocalMemory
    """The scratchpad in units of the operands."""
    a_row: int
    a_stride: int
    w_row: int
    w_stride: int
    acc_row: int
    acc_stride: int
    adds: bool
    """The first block of each column of blocks adds to what is there."""
    pad_banks: int
    acc_banks: int
    """Banks of all its rows, a bit each."""

    @property
    def end(self) -> int:
        """The cycle after the last activation read."""
        return self.start + (self.blocks - 1) * self.period + self.m

    @property
    def steps(self) -> int:
        """Activation reads."""
        return self.blocks * self.m

    def steps_before(self, cycle: int) -> int:
        """Activation reads before ``cycle``."""
        number, since = divmod(cycle - self.start, self.period)
        if number < 0:
            return 0
        return min(number * self.m + min(since, self.m), self.blocks * self.m)

    def block(self, cycle: int) -> tuple[int, int, int] | None:
        """(nb, kb, cycles since its start) of the block that streams in ``cycle``."""
        if not self.start <= cycle < self.end:
            return None
        number, since = divmod(cycle - self.start, self.period)
        n, k = divmod(number + self.first_block, self.k_blocks)
        return n, k, since


class ArrayTraffic:
    """What the matmul engine has planned: asked for by those that must give way to it."""

    def __init__(self, scratchpad: LocalMemory, accumulator: LocalMemory, tile: TileConfig) -> None:
        self.scratchpad = scratchpad
        self.accumulator = accumulator
        self.rows = tile.array_rows
        #: from an activation read to that of the accumulator row it is added to
        self.update_delay = array_latency(tile) + decodes(tile)
        #: weight rows read before there is room for them in the array, and when the others of a
        #: block are, from the start of the one before it on
        self.weights_ahead = min(tile.array_rows, READ_LATENCY + decodes(tile) + 2)
        self.weights_after = 2 + decodes(tile)
        self.runs: deque[BlockRun] = deque()
        #: activation reads planned since reset, and those of runs that are forgotten
        self.steps_planned = 0
        self._steps_over = 0
        self.listeners: list[Callable[[BlockRun], None]] = []
        self.vector = VectorReads()
        #: single reads of the scratchpad by the array: their banks in each cycle, a bit each, their
        #: cycles, and the last of them in each bank
        self._reads: dict[int, int] = {}
        self._cycles: deque[int] = deque()
        self._last_reads = [-1] * scratchpad.banks
        #: such that are worked out once somebody asks for one of their banks
        self._unknown: deque[tuple[int, Callable[[], None]]] = deque(maxlen=_UNKNOWN)

    def add(self, run: BlockRun, now: int) -> None:
        """Plans a run of blocks; runs that are over are forgotten."""
        while self.runs and self.runs[0].end + self.update_delay + 2 * self.rows + 16 < now:
            self._steps_over += self.runs.popleft().steps
        self.runs.append(run)
        self.steps_planned += run.steps
        for listener in self.listeners:
            listener(run)

    def add_later(self, banks: int, reads: Callable[[], None]) -> None:
        """``reads`` plans single reads in ``banks``, which nobody may ask for."""
        self._unknown.append((banks, reads))

    def work_out(self, banks: int) -> None:
        """Plans the single reads in ``banks`` that have been left for later."""
        if any(banks & of for of, _ in self._unknown):
            unknown = list(self._unknown)
            self._unknown.clear()
            for _, reads in unknown:
                reads()

    def add_read(self, bank: int, cycle: int, now: int) -> None:
        """Plans a single read; those long over are forgotten."""
        if bank >= self.scratchpad.banks:
            return
        cycles, reads = self._cycles, self._reads
        while cycles and cycles[0] < now - _REMEMBERED:
            reads.pop(cycles.popleft(), None)
        cycles.append(cycle)
        reads[cycle] = reads.get(cycle, 0) | 1 << bank
        self._last_reads[bank] = max(self._last_reads[bank], cycle)

    def frozen(self, cycle: int) -> ArrayTraffic:
        """What is planned now, from ``cycle`` on; to be asked, not to be added to."""
        self.work_out(-1)
        other = copy(self)
        other.runs = self.runs.copy()
        other._unknown = deque()
        other._reads = {at: banks for at, banks in self._reads.items() if at >= cycle}
        return other

    def withdraw(self, runs: Sequence[BlockRun], reads: Sequence[tuple[int, int]]) -> None:
        """Runs, and banks and cycles of single reads, that were planned come otherwise."""
        gone = {id(run) for run in runs}
        self.runs = deque(run for run in self.runs if id(run) not in gone)
        self.steps_planned -= sum(run.steps for run in runs)
        for bank, cycle in reads:
            self._reads[cycle] &= ~(1 << bank)

    def steps_before(self, cycle: int) -> int:
        """Activation reads before ``cycle`` since reset, if there are any after it."""
        return self._steps_over + sum(run.steps_before(cycle) for run in self.runs)

    def cut(self, cycle: int) -> None:
        """Nothing is read from ``cycle`` on."""
        self.runs = deque(run for run in self.runs if run.start < cycle)
        self.steps_planned = self._steps_over + sum(run.steps for run in self.runs)
        self._reads = {at: banks for at, banks in self._reads.items() if at < cycle}
        self._last_reads = [min(last, cycle) for last in self._last_reads]

    def reads_among(self, first: int, last: int, cycle: int) -> bool:
        """Whether a bank of scratchpad rows ``first..last`` is read after ``cycle``."""
        banks = self.scratchpad.banks_of(first, last)
        self.work_out(banks)
        if any(run.pad_banks & banks for run in self._after(cycle)):
            return True
        return any(banks >> bank & 1 and last > cycle for bank, last in enumerate(self._last_reads))

    def adds_among(self, first: int, last: int, cycle: int) -> bool:
        """Whether a bank of accumulator rows ``first..last`` is updated after ``cycle``."""
        banks = self.accumulator.banks_of(first, last)
        return any(run.acc_banks & banks for run in self._after(cycle - self.update_delay))

    def _after(self, cycle: int) -> Iterator[BlockRun]:
        """Runs that read activations after ``cycle`` or in it, the last one first."""
        for run in reversed(self.runs):
            if run.end <= cycle:
                return
            yield run

    def activations_until(self, bank: int, cycle: int) -> int | None:
        """The first cycle without an activation read in ``bank``; None if ``cycle`` is one."""
        for run in self._after(cycle):
            where = run.block(cycle)
            if where is None or where[2] >= run.m:
                continue
            first = run.a_row + where[1]
            until = _busy_until(run.pad, first, run.a_stride, run.m, bank, where[2])
            if until is not None:
                return cycle - where[2] + until
        return None

    def weights_until(self, bank: int, cycle: int) -> int | None:
        """The same for weight reads, but for those before a run: R cycles from a block's start on
        the rest of the next block, then those of the block after it for which there is room.
        """
        rest = self.rows - self.weights_ahead
        for run in self._after(cycle - self.weights_after - self.rows):
            number, step = divmod(cycle - run.start - self.weights_after, run.period)
            if number < 0 or step >= self.rows:
                continue
            number, step, steps = (
                (number + 2, step - rest, self.weights_ahead)
                if step >= rest
                else (number + 1, step + self.weights_ahead, self.rows)
            )
            if number >= run.blocks:
                continue
            n, k = divmod(number + run.first_block, run.k_blocks)
            top = run.w_row + n + (k * self.rows + self.rows - 1) * run.w_stride
            until = _busy_until(run.pad, top, -run.w_stride, steps, bank, step)
            if until is not None:
                return cycle - step + until
        return None

    def updates_until(self, bank: int, cycle: int) -> int | None:
        """The same for accumulator rows that are read to be added to."""
        cycle -= self.update_delay
        for run in self._after(cycle):
            where = run.block(cycle)
            if where is None or where[2] >= run.m or not (where[1] or run.adds):
                continue
            first = run.acc_row + where[0] * run.acc_stride
            until = _busy_until(self.accumulator, first, 1, run.m, bank, where[2])
            if until is not None:
                return cycle - where[2] + until + self.update_delay
        return None

    def read_from(self, row: int, cycle: int) -> int:
        """First cycle from ``cycle`` on in which the array leaves a scratchpad row's bank alone."""
        bank = self.scratchpad.bank(row)
        self.work_out(1 << bank)
        while self.runs and (until := self._read_until(bank, cycle)) is not None:
            cycle = until
        return cycle

    def is_read(self, bank: int, cycle: int) -> bool:
        """Whether the array reads a bank whose single reads have been worked out."""
        return self._read_until(bank, cycle) is not None

    def _read_until(self, bank: int, cycle: int) -> int | None:
        until = self.activations_until(bank, cycle)
        if until is None:
            until = self.weights_until(bank, cycle)
        if until is None and self._reads.get(cycle, 0) >> bank & 1:
            until = cycle + 1
        return until

    def stored_from(self, row: int, cycle: int) -> int:
        """First cycle from ``cycle`` on in which a store can read a row, as far as is known."""
        bank = self.scratchpad.bank(row)
        while True:
            cycle = self.read_from(row, cycle)
            until = self.vector.read_until(bank, cycle)
            if until is None:
                return cycle
            cycle = until

    def meets_store(self, first: int, last: int, cycle: int) -> bool:
        """Whether a store of rows ``first..last`` may have to wait after ``cycle``."""
        banks = self.scratchpad.banks_of(first, last)
        return self.reads_among(first, last, cycle) or self.vector.among(banks, cycle)

    def drain_from(self, row: int, cycle: int) -> int:
        """First cycle from ``cycle`` on in which the array leaves an accumulator row's bank
        alone.
        """
        bank = self.accumulator.bank(row)
        while self.runs:
            until = self.updates_until(bank, cycle)
            if until is None:
                break
            cycle = until
        return cycle
