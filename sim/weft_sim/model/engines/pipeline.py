"""When the blocks of matmul commands go through the array, command after command."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from weft_hw.array.operand import decodes
from weft_hw.config import TileConfig
from weft_hw.memory.accumulator import Accumulator
from weft_hw.memory.port import READ_LATENCY

from ..local import LocalMemory
from ..timing import TIMING
from .traffic import ArrayTraffic, BlockRun

__all__ = ["ArrayPipeline", "MatmulShape"]

_LONG_AGO = -(10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatmulShape:
    """The walks of a command; ``pad`` is the scratchpad in units of its operands."""

    pad: LocalMemory
    m: int
    k: int
    n: int
    k_blocks: int
    n_blocks: int
    a_row: int
    a_stride: int
    w_row: int
    w_stride: int
    acc_row: int
    acc_stride: int
    accumulate: bool
    w_scale_row: int | None = None
    """Scratchpad row of the first weights' scales, if there are any."""

    @property
    def blocks(self) -> int:
        return self.k_blocks * self.n_blocks

    def a_banks(self) -> int:
        """Banks of its activations, a bit each."""
        last = self.a_row + (self.m - 1) * self.a_stride + self.k_blocks - 1
        return self.pad.banks_of(self.a_row, last)

    def w_banks(self) -> int:
        """Banks of its weights."""
        last = self.w_row + (self.k - 1) * self.w_stride + self.n_blocks - 1
        return self.pad.banks_of(self.w_row, last)

    def acc_banks(self, acc: LocalMemory) -> int:
        """Banks of its sums."""
        last = self.acc_row + (self.n_blocks - 1) * self.acc_stride + self.m - 1
        return acc.banks_of(self.acc_row, last)

    def run(
        self, start: int, period: int, blocks: int, banks: tuple[int, int], first_block: int = 0
    ) -> BlockRun:
        """Its blocks from ``first_block`` on, as traffic in ``banks`` of both memories."""
        return BlockRun(
            pad=self.pad,
            pad_banks=banks[0],
            acc_banks=banks[1],
            start=start,
            period=period,
            blocks=blocks,
            m=self.m,
            k_blocks=self.k_blocks,
            first_block=first_block,
            a_row=self.a_row,
            a_stride=self.a_stride,
            w_row=self.w_row,
            w_stride=self.w_stride,
            acc_row=self.acc_row,
            acc_stride=self.acc_stride,
            adds=self.accumulate,
        )


class ArrayPipeline:
    """Weight loader and activation streamer of one array of R x R.

    A block starts (its first activation is asked for) when the block before it has had all its
    activations, and R cycles after the block before it started: by then its weights, asked for
    meanwhile, are in the shadows. So blocks of one command start ``max(M, R)`` cycles apart, unless
    their weights lie in a bank from which activations are read.

    ``stalls`` counts cycles in which the streamer waited for weights, ``conflicts`` those in which
    a weight row waited for its bank.
    """

    def __init__(self, tile: TileConfig, scratchpad: LocalMemory, accumulator: LocalMemory) -> None:
        self.rows = tile.array_rows
        self.traffic = ArrayTraffic(scratchpad, accumulator, tile)
        self._decodes = int(decodes(tile))
        self._through = self.traffic.update_delay + Accumulator.update_latency(tile)
        self._distance = Accumulator.update_distance(tile)
        self._buffer_rows = READ_LATENCY + self._decodes + 2
        self.accepts_from = 0
        self.stalls = 0
        self.conflicts = 0
        self._taken = 0
        self._stream_end = _LONG_AGO
        self._block = (0, 0, 0, 0)
        self._forget()

    def _forget(self) -> None:
        self._last_start = _LONG_AGO
        self._last_ready = _LONG_AGO
        self._a_banks = 0

    def flush(self, cycle: int) -> None:
        """The array is empty at ``cycle``."""
        self.accepts_from = max(self.accepts_from, cycle + 1)
        self._stream_end = min(self._stream_end, cycle)
        self.traffic.cut(cycle)
        self._forget()

    def run(self, cycle: int, shape: MatmulShape) -> int:
        """A command handed over in ``cycle``; the cycle of its end."""
        queued = cycle + TIMING.matmul_queue
        loader_taken = max(queued, self._last_ready - TIMING.matmul_load_latency)
        if shape.w_scale_row is not None:
            asked = queued + TIMING.scale_first
            granted = self.traffic.read_from(shape.w_scale_row, asked)
            self.conflicts += granted - asked
            loader_taken = max(loader_taken, granted + TIMING.scale_ready - 1)
        taken = max(queued, self._stream_end - 1)
        block = (shape.acc_row, shape.acc_stride, shape.m, shape.n)
        # rows of the command before may still be on their way to be written
        gap = self._distance - 1 if shape.accumulate and block != self._block else 0
        self._block = block
        not_before = self._stream_end + gap
        a_banks, w_banks = shape.a_banks(), shape.w_banks()
        banks = a_banks | w_banks, shape.acc_banks(self.traffic.accumulator)
        # weights of this command are read while activations of the one before are
        disjoint = not w_banks & (a_banks | self._a_banks)
        self._a_banks = a_banks
        walk = self._run_smoothly if disjoint else self._run_with_conflicts
        walk(cycle, loader_taken + 1, taken + 1, not_before, shape, banks)
        self._stream_end = self._last_start + shape.m
        # the queue before the streamer holds two
        self.accepts_from = max(queued, self._taken + 1)
        self._taken = taken
        return self._stream_end + self._through

    def _run_smoothly(
        self,
        now: int,
        load: int,
        active: int,
        not_before: int,
        shape: MatmulShape,
        banks: tuple[int, int],
    ) -> None:
        rows, m, blocks = self.rows, shape.m, shape.blocks
        ready = max(load + rows + TIMING.matmul_weights_ready, self._last_start + rows)
        start = max(ready, active, not_before)
        period = max(m, rows)
        self.traffic.add(shape.run(start, period, blocks, banks), now)
        self._last_start = start + (blocks - 1) * period
        self._last_ready = ready if blocks == 1 else self._last_start - period + rows
        self.stalls += max(0, ready - active) + (blocks - 1) * (period - m)

    def _run_with_conflicts(
        self,
        now: int,
        load: int,
        active: int,
        not_before: int,
        shape: MatmulShape,
        banks: tuple[int, int],
    ) -> None:
        """Row by row: a weight row waits while activations are read from its bank."""
        rows, traffic = self.rows, self.traffic
        late = self._decodes
        swap = self._last_start + 1 + late
        shifts: deque[int] = deque(maxlen=self._buffer_rows)
        shifted = self._last_ready + late
        free = active
        for block in range(shape.blocks):
            n, k = divmod(block, shape.k_blocks)
            for depth in range(rows - 1, -1, -1):
                ask = load
                if len(shifts) == self._buffer_rows:
                    ask = max(ask, shifts[0] + 1)
                step = k * rows + depth
                if step < shape.k:
                    row = shape.w_row + n + step * shape.w_stride
                    asked, ask = ask, self._free_from(shape.pad.bank(row), ask)
                    self.conflicts += ask - asked
                load = ask + 1
                before = shifted
                shifted = max(shifted + 1, ask + TIMING.matmul_load_latency + late, swap)
                shifts.append(shifted)
            # where operands are decoded, readiness is told a cycle before the last shift, if that
            # is sure to follow the one before it
            ready = shifted - late if shifted == before + 1 else shifted
            self.stalls += max(0, ready - free)
            start = max(ready, free, not_before)
            traffic.add(shape.run(start, max(shape.m, rows), 1, banks, block), now)
            free = start + shape.m
            swap = start + 1 + late
            self._last_start = start
        self._last_ready = shifted - late

    def _free_from(self, bank: int, cycle: int) -> int:
        """The first cycle from ``cycle`` on without an activation read in a bank."""
        while True:
            until = self.traffic.activations_until(bank, cycle)
            if until is None:
                return cycle
            cycle = until
