"""When the blocks of matmul commands go through the array, command after command."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import NamedTuple

from weft_hw.array.operand import decodes
from weft_hw.config import TileConfig
from weft_hw.memory.accumulator import Accumulator
from weft_hw.memory.port import READ_LATENCY

from ..local import LocalMemory
from ..timing import TIMING
from .bank_race import BankRace
from .scales import ScaleReader
from .shapes import MatmulShape
from .traffic import ArrayTraffic

__all__ = ["ArrayPipeline"]

_LONG_AGO = -(10**9)
#: Weight reads to which rows of scales asked for later may have to give way.
_WEIGHT_READS = 64


class _Offer(NamedTuple):
    """A command taken in cycle ``now``: when its weights can be asked for, when the streamer can
    look at it, when its first row may be added to sums; the banks of its rows in both memories.
    """

    now: int
    load: int
    active: int
    not_before: int
    shape: MatmulShape
    banks: tuple[int, int]


class ArrayPipeline:
    """Weight loader and activation streamer of one array of R x R.

    A block starts (its first activation is asked for) when the block before it has had all its
    activations, and R cycles after the block before it started: by then its weights, asked for
    meanwhile, are in the shadows. So blocks of one command start ``max(M, R)`` cycles apart, unless
    their weights lie in a bank from which activations are read, or a column of blocks must wait for
    rows of the one before it that it adds to.

    Commands with block scales go block by block or, if their operands share a bank, cycle by cycle.

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
        self._paused = 0
        self._stream_end = _LONG_AGO
        self._block = (0, 0, 0, 0)
        self._a_scales, self._w_scales = ScaleReader(), ScaleReader()
        #: (cycle, bank) of late weight reads
        self._weight_reads: deque[tuple[int, int]] = deque(maxlen=_WEIGHT_READS)
        self._forget()

    def _forget(self) -> None:
        self._last_start = _LONG_AGO
        self._last_ready = _LONG_AGO
        self._a_banks = 0
        self._a_scales.flush()
        self._w_scales.flush()

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
        if shape.scales is not None:
            self._a_scales.begin(queued)
            self._w_scales.begin(queued)
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
        smooth = disjoint and not self._column_gap(shape)
        if shape.scales is None:
            walk = self._run_smoothly if smooth else self._run_with_conflicts
        else:
            walk = self._run_with_conflicts if disjoint else self._race
        walk(_Offer(cycle, loader_taken + 1, taken + 1, not_before, shape, banks))
        self._stream_end = self._last_start + shape.m + self._paused
        # the queue before the streamer holds two
        self.accepts_from = max(queued, self._taken + 1)
        self._taken = taken
        return self._stream_end + self._through

    def _run_smoothly(self, offer: _Offer) -> None:
        now, load, active, not_before, shape, banks = offer
        rows, m, blocks = self.rows, shape.m, shape.blocks
        ready = max(load + rows + TIMING.matmul_weights_ready, self._last_start + rows)
        start = max(ready, active, not_before)
        period = max(m, rows)
        self.traffic.add(shape.run(start, period, blocks, banks), now)
        before = load, now, self._last_ready, self._last_start
        weights = partial(self._read_first_weights, shape, *before)
        self.traffic.add_later(shape.w_banks(), weights)
        self._last_start, self._paused = start + (blocks - 1) * period, 0
        self._last_ready = ready if blocks == 1 else self._last_start - period + rows
        self.stalls += max(0, ready - active) + (blocks - 1) * (period - m)

    def _read_first_weights(
        self, shape: MatmulShape, load: int, now: int, last_ready: int, last_start: int
    ) -> None:
        """Weights read before a command that runs smoothly begins, after another block."""
        rows, late = self.rows, self._decodes
        shifts: deque[int] = deque(maxlen=self._buffer_rows)
        shifted, swap = last_ready + late, last_start + 1 + late
        number = min(shape.blocks * rows, rows + self.traffic.weights_ahead)
        for depth in range(number):
            if len(shifts) == self._buffer_rows:
                load = max(load, shifts[0] + 1)
            shifted = max(shifted + 1, load + TIMING.matmul_load_latency + late, swap)
            shifts.append(shifted)
            block, step = divmod(depth, rows)
            n, k = divmod(block, shape.k_blocks)
            step = k * rows + rows - 1 - step
            if step < shape.k:
                bank = shape.pad.bank(shape.w_row + n + step * shape.w_stride)
                self._weight_reads.append((load, bank))
                self.traffic.add_read(bank, load, now)
            load += 1

    def _run_with_conflicts(self, offer: _Offer) -> None:
        """Row by row: a weight row waits while activations are read from its bank, and rows of
        scales wait for both.
        """
        now, load, active, not_before, shape, banks = offer
        rows, traffic, scales = self.rows, self.traffic, shape.scales
        late = self._decodes
        swap = self._last_start + 1 + late
        shifts: deque[int] = deque(maxlen=self._buffer_rows)
        shifted = self._last_ready + late
        free = active
        scaled_from = (
            0 if scales is None else self._read_scales(self._w_scales, scales.w(0, 0), now)
        )
        column_gap = self._column_gap(shape)
        for block in range(shape.blocks):
            n, k = divmod(block, shape.k_blocks)
            if n and not k:
                not_before = free + column_gap
            for depth in range(rows - 1, -1, -1):
                ask = load
                if len(shifts) == self._buffer_rows:
                    ask = max(ask, shifts[0] + 1)
                step = k * rows + depth
                if step < shape.k:
                    bank = shape.pad.bank(shape.w_row + n + step * shape.w_stride)
                    asked = max(ask, scaled_from)
                    ask = self._free_from(bank, asked)
                    self.conflicts += ask - asked
                    self._weight_reads.append((ask, bank))
                    traffic.add_read(bank, ask, now)
                load = ask + 1
                before = shifted
                shifted = max(shifted + 1, ask + TIMING.matmul_load_latency + late, swap)
                shifts.append(shifted)
            # where operands are decoded, readiness is told a cycle before the last shift, if that
            # is sure to follow the one before it
            ready = shifted - late if shifted == before + 1 else shifted
            self.stalls += max(0, ready - free)
            start = max(ready, free, not_before)
            paused = 0
            if scales is not None:
                self._w_scales.free(ask)
                if block + 1 < shape.blocks:
                    after = scales.w(*divmod(block + 1, shape.k_blocks))
                    scaled_from = self._read_scales(self._w_scales, after, now)
                start, paused = self._scaled_rows(shape, block, start, banks, now)
            else:
                traffic.add(shape.run(start, max(shape.m, rows), 1, banks, block), now)
            free = start + shape.m + paused
            swap = start + 1 + late
            self._last_start, self._paused = start, paused
        self._last_ready = shifted - late

    def _race(self, offer: _Offer) -> None:
        """Scaled operands in one bank: cycle by cycle."""
        now, load, active, not_before, shape, banks = offer
        traffic = self.traffic

        def busy(bank: int, cycle: int, weights: bool = False) -> bool:
            if weights and (cycle, bank) in self._weight_reads:
                return True
            return traffic.activations_until(bank, cycle) is not None

        race = BankRace(
            shape,
            self.rows,
            self._decodes,
            self._buffer_rows,
            traffic.scratchpad,
            busy,
            self._column_gap(shape),
        )
        race.run(
            load,
            active,
            not_before,
            self._last_start + 1 + self._decodes,
            self._last_ready + self._decodes,
            (self._a_scales, self._w_scales),
        )
        for start, block, first, count in race.streams:
            part = shape.rows(first, count)
            traffic.add(part.run(start, count, 1, banks, block), now)
        for bank, cycle in race.reads:
            traffic.add_read(bank, cycle, now)
        self.conflicts += race.conflicts
        self.stalls += race.stalls
        self._last_start, self._last_ready = race.last_start, race.last_ready
        self._paused = race.end - race.last_start - shape.m

    def _column_gap(self, shape: MatmulShape) -> int:
        """Cycles in which a column of blocks waits for rows of the one before it."""
        return self._distance - 1 if shape.columns_are_close(self.rows, self._distance) else 0

    def _read_scales(self, reader: ScaleReader, row: int, now: int) -> int:
        """Asks for the next row of scales; the first cycle in which it can be used."""
        traffic, bank = self.traffic, self.traffic.scratchpad.bank(row)
        traffic.work_out(1 << bank)
        cycle = reader.ask
        while True:
            until = traffic.activations_until(bank, cycle)
            if until is None:
                until = traffic.weights_until(bank, cycle)
            if until is None and (cycle, bank) in self._weight_reads:
                until = cycle + 1
            if until is not None:
                self.conflicts += until - cycle
            elif reader is self._a_scales:
                # both readers share a port, weights first
                until = self._w_scales.busy_until(cycle)
            if until is None:
                traffic.add_read(bank, cycle, now)
                return reader.grant(cycle)
            cycle = until

    def _scaled_rows(
        self, shape: MatmulShape, block: int, start: int, banks: tuple[int, int], now: int
    ) -> tuple[int, int]:
        """Plans the activations of a block, as many at once as a row of scales is for: when they
        begin, and for how long they pause on the way.
        """
        scales = shape.scales
        assert scales is not None
        k, here = block % shape.k_blocks, start
        for first in range(0, shape.m, scales.per_row):
            count = min(scales.per_row, shape.m - first)
            row = scales.a(k, first // scales.per_row)
            ready = self._read_scales(self._a_scales, row, now)
            here = max(here, ready)
            if not first:
                start = here
            self.traffic.add(shape.rows(first, count).run(here, count, 1, banks, block), now)
            here += count
            self._a_scales.free(here - 1)
        return start, here - start - shape.m

    def _free_from(self, bank: int, cycle: int) -> int:
        """The first cycle from ``cycle`` on without an activation read in a bank."""
        while True:
            until = self.traffic.activations_until(bank, cycle)
            if until is None:
                return cycle
            cycle = until
