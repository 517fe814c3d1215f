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
from .block_walk import Entrant
from .scaled_race import ScaledRace
from .shapes import MatmulShape
from .traffic import ArrayTraffic, BlockRun

__all__ = ["ArrayPipeline"]

_LONG_AGO = -(10**9)
#: Commands whose ends are kept.
_ENDS = 8


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

    Commands with block scales go cycle by cycle (``scaled_race``), together with those that follow
    before they are through; when they end is found out again as each of these is taken.

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
        self._block = (0, 0, 0, 0)
        #: of the last commands: when they were offered to the streamer, when it was through
        self._offers = deque([_LONG_AGO] * _ENDS, maxlen=_ENDS)
        self._stream_ends = deque([_LONG_AGO] * _ENDS, maxlen=_ENDS)
        self._forget()

    def _forget(self) -> None:
        self._last_start = _LONG_AGO
        self._last_ready = _LONG_AGO
        self._a_banks = 0
        #: commands with scales as far as is certain, those behind them, and what is planned
        self._race: ScaledRace | None = None
        self._race_until = _LONG_AGO
        self._race_runs: list[BlockRun] = []
        self._race_reads: list[tuple[int, int]] = []
        self._before_race = 0, 0

    def flush(self, cycle: int) -> None:
        """The array is empty at ``cycle``."""
        self.accepts_from = max(self.accepts_from, cycle + 1)
        self._stream_ends = deque((min(end, cycle) for end in self._stream_ends), maxlen=_ENDS)
        self.traffic.cut(cycle)
        self._forget()

    @property
    def ends(self) -> list[int]:
        """When the last commands end; those with scales later than said before, perhaps."""
        return [end + self._through for end in self._stream_ends]

    def run(self, cycle: int, shape: MatmulShape) -> int:
        """A command handed over in ``cycle``; the cycle of its end."""
        queued = cycle + TIMING.matmul_queue
        block = (shape.acc_row, shape.acc_stride, shape.m, shape.n)
        # rows of the command before may still be on their way to be written
        gap = self._distance - 1 if shape.accumulate and block != self._block else 0
        self._block = block
        a_banks, w_banks = shape.a_banks(), shape.w_banks()
        # weights of this command are read while activations of the one before are
        disjoint = not w_banks & (a_banks | self._a_banks)
        self._a_banks = a_banks
        column_gap = self._column_gap(shape)
        self._offers.append(queued)
        if shape.scales is not None or self._race_until > queued:
            self._run_scaled(cycle, Entrant(shape, queued + 1, gap, column_gap))
        else:
            end = self._stream_ends[-1]
            banks = a_banks | w_banks, shape.acc_banks(self.traffic.accumulator)
            load, active = self._free(queued)
            walk = self._run_smoothly if disjoint and not column_gap else self._run_with_conflicts
            walk(_Offer(cycle, load, active, end + gap, shape, banks))
            self._stream_ends.append(self._last_start + shape.m)
        # the queue before the streamer holds two
        taken = max(self._offers[-2], self._stream_ends[-3] - 1)
        self.accepts_from = max(queued, taken + 1)
        return self._stream_ends[-1] + self._through

    def _free(self, queued: int) -> tuple[int, int]:
        """When the loader can ask for weights of a command, and the streamer look at it."""
        load = max(queued, self._last_ready - TIMING.matmul_load_latency)
        return load + 1, max(queued, self._stream_ends[-1] - 1) + 1

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
        self._last_start = start + (blocks - 1) * period
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
                self.traffic.add_read(bank, load, now)
            load += 1

    def _run_with_conflicts(self, offer: _Offer) -> None:
        """Row by row: a weight row waits while activations are read from its bank."""
        now, load, active, not_before, shape, banks = offer
        rows, traffic = self.rows, self.traffic
        late = self._decodes
        swap = self._last_start + 1 + late
        shifts: deque[int] = deque(maxlen=self._buffer_rows)
        shifted = self._last_ready + late
        free = active
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
                    asked, ask = ask, self._free_from(bank, ask)
                    self.conflicts += ask - asked
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
            traffic.add(shape.run(start, max(shape.m, rows), 1, banks, block), now)
            free = start + shape.m
            swap = start + 1 + late
            self._last_start = start
        self._last_ready = shifted - late

    def _run_scaled(self, now: int, entrant: Entrant) -> None:
        """Plans a command with scales, or behind one, and those before it once more."""
        traffic, offered = self.traffic, entrant.offered
        if self._race is None or self._race_until < offered:
            self._race = race = self._new_race(offered - 1)
            self._before_race = self.stalls, self.conflicts
            race.add(entrant, self._stream_ends[-1] + entrant.gap)
        else:
            race = self._race
            race.run(offered)
            race.forget()
            runs = [run for run in self._race_runs if run.end >= race.cycle]
            traffic.withdraw(runs, [read for read in self._race_reads if read[1] >= race.cycle])
            race.add(entrant)
        race.run(certain=True)
        plan = race.plan()
        self._race_runs, self._race_reads = [], plan.reads
        for start, shape, block, first, count in plan.streams:
            banks = shape.a_banks() | shape.w_banks(), shape.acc_banks(traffic.accumulator)
            run = shape.rows(first, count).run(start, count, 1, banks, block)
            self._race_runs.append(run)
            traffic.add(run, now)
        for bank, cycle in plan.reads:
            traffic.add_read(bank, cycle, now)
        self.stalls = self._before_race[0] + plan.stalls
        self.conflicts = self._before_race[1] + plan.conflicts
        self._last_start, self._last_ready = plan.last_start, plan.last_ready
        self._stream_ends.append(plan.ends[-1])
        for back, end in enumerate(reversed(plan.ends), 1):
            self._stream_ends[-back] = end
        self._race_until = plan.scaled_end

    def _new_race(self, queued: int) -> ScaledRace:
        """Of commands that those before them do not know of."""
        before = self.traffic.frozen(queued)
        load, active = self._free(queued)
        return ScaledRace(
            self.rows,
            self._decodes,
            self._buffer_rows,
            before.scratchpad,
            lambda bank, cycle: before.activations_until(bank, cycle) is not None,
            before.is_read,
            queued + 1,
            load=load,
            active=active,
            swap=self._last_start + 1 + self._decodes,
        )

    def _column_gap(self, shape: MatmulShape) -> int:
        """Cycles in which a column of blocks waits for rows of the one before it."""
        return self._distance - 1 if shape.columns_are_close(self.rows, self._distance) else 0

    def _free_from(self, bank: int, cycle: int) -> int:
        """The first cycle from ``cycle`` on without an activation read in a bank."""
        while True:
            until = self.traffic.activations_until(bank, cycle)
            if until is None:
                return cycle
            cycle = until
