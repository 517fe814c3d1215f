"""Matmul commands with block scales, and those that follow them closely: cycle by cycle.

Rows of scales give way to activations and weights, those of later commands too, so that when a
command goes on is known only as far as the commands after it are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from copy import copy
from typing import NamedTuple

from ..local import LocalMemory
from ..timing import TIMING
from .block_walk import AHEAD, BlockWalk, Entrant, ScaleWalk
from .shapes import MatmulShape

__all__ = ["ScaledRace", "Stream"]

_NEVER = 1 << 62
#: Commands whose ends are kept: more than the array holds.
_ENDS = 8


class Stream(NamedTuple):
    """Activations of a block, a row a cycle from ``start`` on."""

    start: int
    shape: MatmulShape
    block: int
    first: int
    rows: int

    @property
    def end(self) -> int:
        return self.start + self.rows


class ScaledRace:
    """What loader, streamer and readers of scales do, up to and without ``cycle``.

    ``size``: rows of the array. ``late``: cycles of decoding. ``activations``, ``reads``: whether
    commands before these read activations, or anything, in a bank and cycle. ``cycle``: the first
    in which something may happen; ``load``, ``active``:
    from when on loader and streamer are free; ``swap``: from when on the shadows are.
    """

    def __init__(
        self,
        size: int,
        late: int,
        buffer_rows: int,
        scratchpad: LocalMemory,
        activations: Callable[[int, int], bool],
        reads: Callable[[int, int], bool],
        cycle: int,
        *,
        load: int,
        active: int,
        swap: int,
    ) -> None:
        self._size, self._late, self._buffer_rows = size, late, buffer_rows
        self._scratchpad, self._activations, self._reads = scratchpad, activations, reads
        self.cycle = cycle
        self._load, self._active = load, active
        self._loader, self._streamer = BlockWalk(), BlockWalk()
        self._w_scales, self._a_scales = ScaleWalk(weights=True), ScaleWalk(weights=False)
        self._row = self._depth = 0
        self._not_before = 0
        self._asked = self._done = 0
        self._shifted = -1
        #: rows of weights on their way: when they can be shifted, and their block
        self._pending: deque[tuple[int, int]] = deque()
        #: of blocks: from when on their weights may go to the shadows, when they are there
        self._swaps, self._ready = {0: swap}, dict[int, int]()
        self.streams: list[Stream] = []
        #: banks and cycles of weights and scales
        self.reads: list[tuple[int, int]] = []
        self.conflicts = 0
        self.stalls = 0
        self.last_start = 0
        #: of the last commands, the cycle after their last activations
        self.ends: deque[int] = deque(maxlen=_ENDS)
        #: that cycle of the last one with scales
        self.scaled_end = -1

    @property
    def last_ready(self) -> int:
        """The last shift of weights, less the cycles of decoding."""
        return self._shifted - self._late

    def add(self, entrant: Entrant, not_before: int = 0) -> None:
        """One more; the first one's activations begin in ``not_before`` at the earliest."""
        if self._streamer.command is None:
            self._not_before = self.ends[-1] + entrant.gap if self.ends else not_before
        for walk in (self._loader, self._streamer, self._w_scales, self._a_scales):
            walk.add(entrant)

    def plan(self) -> ScaledRace:
        """The same at the end of all commands, as far as they are known."""
        other = copy(self)
        other._loader, other._streamer = self._loader.copy(), self._streamer.copy()
        other._w_scales, other._a_scales = self._w_scales.copy(), self._a_scales.copy()
        other._pending = self._pending.copy()
        other._swaps, other._ready = self._swaps.copy(), self._ready.copy()
        other.streams, other.ends = self.streams.copy(), self.ends.copy()
        other.reads = self.reads.copy()
        other.run()
        return other

    def forget(self) -> None:
        """Reads and activations that are over are not asked for again."""
        self.reads = []
        self.streams = [stream for stream in self.streams if stream.end >= self.cycle]

    def run(self, until: int = _NEVER, *, certain: bool = False) -> None:
        """Every cycle before ``until``, or until all activations have been read; ``certain``: only
        those in which a command to come could do nothing, whatever it is.
        """
        while self._streamer.command is not None and self.cycle < until:
            if certain and not self._is_certain():
                break
            if self._row:
                quiet = min(self._quiet(), until - self.cycle)
                if quiet > 0:
                    self._stream(self.cycle, quiet)
                    self._row += quiet
                    self.cycle += quiet
                    continue
            if self._pending and self._pending[0][0] <= self.cycle:
                self._shift()
            used = self._read_activations()
            weights, waited = -1, False
            if self._asked - self._done < self._buffer_rows:
                weights, waited = self._read_weights(used)
            if self._w_scales.held < AHEAD or self._a_scales.held < AHEAD:
                waited |= self._read_scales(used, weights)
            self.conflicts += waited
            self.cycle += 1

    def _is_certain(self) -> bool:
        """Whether all have a command; the streamer is the last that has none."""
        walks = self._loader, self._w_scales, self._a_scales
        return all(walk.command is not None for walk in walks)

    def _quiet(self) -> int:
        """Cycles in which nothing but activations of one block is read, and no scale freed."""
        if self._asked - self._done < self._buffer_rows and self._loader.command is not None:
            return 0
        if self._pending and self._pending[0][1] in self._swaps:
            return 0
        for scales in (self._w_scales, self._a_scales):
            if scales.held < AHEAD and scales.command is not None:
                return 0
        command, row = self._streamer.command, self._row
        assert command is not None
        left = command.shape.m - row
        if command.shape.scales is not None:
            if not self._a_scales.there(self.cycle):
                return 0
            per_row = command.shape.scales.per_row
            left = min(left, per_row - row % per_row)
        return left - 1

    def _shift(self) -> None:
        """A row of weights goes into the shadows; its place is free from the next cycle on."""
        pending, cycle, size = self._pending, self.cycle, self._size
        of = pending[0][1]
        if self._swaps.get(of, _NEVER) > cycle:
            return
        pending.popleft()
        self._shifted = cycle
        self._done += 1
        number = self._done - of * size
        follows = bool(pending) and pending[0][0] <= cycle + 1
        if number == size:
            del self._swaps[of]
        told = number == size or (self._late and number == size - 1 and follows)
        if told and (of, 0) >= (self._streamer.blocks, self._row):
            self._ready.setdefault(of, cycle)

    def _read_activations(self) -> int:
        """The bank that is read, or -1."""
        cycle, streamer, scales = self.cycle, self._streamer, self._a_scales
        command = streamer.command
        assert command is not None
        if cycle < self._active or cycle < command.offered:
            return -1
        shape, row = command.shape, self._row
        if not row and self._ready.get(streamer.blocks, _NEVER) > cycle:
            self.stalls += 1
            return -1
        scaled = shape.scales
        if (scaled is not None and not scales.there(cycle)) or (
            not row and cycle < self._not_before
        ):
            return -1
        if not row:
            self.last_start = cycle
            del self._ready[streamer.blocks]
            self._swaps[streamer.blocks + 1] = cycle + 1 + self._late
        self._stream(cycle, 1)
        bank = shape.pad.bank(shape.a_row + streamer.k + row * shape.a_stride)
        row += 1
        if scaled is not None and (row == shape.m or row % scaled.per_row == 0):
            scales.free(cycle)
        if row == shape.m:
            row = 0
            if streamer.step():
                self.ends.append(cycle + 1)
                if scaled is not None:
                    self.scaled_end = cycle + 1
                if streamer.command is not None:
                    self._not_before = cycle + 1 + streamer.command.gap
            elif not streamer.k:
                self._not_before = cycle + 1 + command.column_gap
        self._row = row
        return bank

    def _stream(self, cycle: int, rows: int) -> None:
        streamer = self._streamer
        if self._row and self.streams:
            last = self.streams[-1]
            if last.end == cycle:
                self.streams[-1] = last._replace(rows=last.rows + rows)
                return
        assert streamer.command is not None
        shape = streamer.command.shape
        block = streamer.n * shape.k_blocks + streamer.k
        self.streams.append(Stream(cycle, shape, block, self._row, rows))

    def _read_weights(self, used: int) -> tuple[int, bool]:
        """The bank that weights are read in, or less than 0; whether they wait for it."""
        cycle, loader, size = self.cycle, self._loader, self._size
        command = loader.command
        room = self._buffer_rows - (self._asked - self._done) - (self._shifted == cycle)
        if command is None or not room or cycle < self._load or cycle < command.offered:
            return -1, False
        shape = command.shape
        step = loader.k * size + size - 1 - self._depth
        bank = -1
        if step < shape.k:
            if shape.scales is not None and not self._w_scales.there(cycle):
                return -1, False
            bank = shape.pad.bank(shape.w_row + loader.n + step * shape.w_stride)
            if bank == used or self._activations(bank, cycle):
                return -1, True
            self.reads.append((bank, cycle))
        self._pending.append((cycle + TIMING.matmul_load_latency + self._late, loader.blocks))
        self._asked += 1
        self._depth += 1
        if self._depth == size:
            self._depth = 0
            if shape.scales is not None:
                self._w_scales.free(cycle)
            loader.step()
        return bank, False

    def _read_scales(self, used: int, weights: int) -> bool:
        """Both readers share a port, that of weights first; whether one waits for its bank."""
        cycle = self.cycle
        for scales in (self._w_scales, self._a_scales):
            row = scales.row(cycle)
            if row is None:
                continue
            bank = self._scratchpad.bank(row)
            if bank in (used, weights) or self._reads(bank, cycle):
                return True
            scales.grant(cycle)
            self.reads.append((bank, cycle))
            return False
        return False
