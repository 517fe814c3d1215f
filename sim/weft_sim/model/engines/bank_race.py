"""A matmul command whose activations, weights and scales lie in one bank: cycle by cycle.

Everywhere else closed forms and walks by rows say the same (``pipeline.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ..local import LocalMemory
from ..timing import TIMING
from .scales import ScaleReader
from .shapes import MatmulShape

__all__ = ["BankRace"]

_NEVER = 1 << 62


@dataclass
class _Scales:
    """Rows of scales of one reader: those still to be asked for, and when others can be used."""

    reader: ScaleReader
    rows: deque[int]
    usable: deque[int] = field(default_factory=deque)
    held: int = 0
    next: int = 0

    def asks(self, cycle: int) -> bool:
        """Whether a request shows: at most two rows are on their way or waiting."""
        return bool(self.rows) and self.held < 2 and cycle >= self.next

    def grant(self, cycle: int) -> None:
        self.rows.popleft()
        self.held += 1
        self.next = cycle + 1
        self.usable.append(self.reader.grant(cycle))

    def there(self, cycle: int) -> bool:
        return bool(self.usable) and self.usable[0] <= cycle

    def free(self, cycle: int) -> None:
        """Used for the last time."""
        self.usable.popleft()
        self.reader.free(cycle)


class BankRace:
    """One command; ``streams`` are (first cycle, block, first row, rows) of its activations."""

    def __init__(
        self,
        shape: MatmulShape,
        rows: int,
        late: int,
        buffer_rows: int,
        scratchpad: LocalMemory,
        busy: Callable[[int, int, bool], bool],
        column_gap: int,
    ) -> None:
        scales = shape.scales
        assert scales is not None
        self._shape, self._rows, self._late, self._buffer_rows = shape, rows, late, buffer_rows
        self._busy, self._per_row, self._scratchpad = busy, scales.per_row, scratchpad
        self._column_gap = column_gap
        self._done = 0
        chunks = -(-shape.m // scales.per_row)
        self._order = [divmod(block, shape.k_blocks) for block in range(shape.blocks)]
        self._a_rows = deque(scales.a(k, chunk) for _, k in self._order for chunk in range(chunks))
        self._w_rows = deque(scales.w(n, k) for n, k in self._order)
        self.streams: list[tuple[int, int, int, int]] = []
        #: banks and cycles of its weights and scales
        self.reads: list[tuple[int, int]] = []
        self.conflicts = 0
        self.stalls = 0
        self.last_start = 0
        self.last_ready = 0
        self.end = 0

    def run(
        self,
        load: int,
        active: int,
        not_before: int,
        swap: int,
        shifted: int,
        readers: tuple[ScaleReader, ScaleReader],
    ) -> None:
        """From the cycle on in which the loader may ask; see ``ArrayPipeline`` for the others."""
        shape, late, size, pad = self._shape, self._late, self._rows, self._shape.pad
        a, w = (
            _Scales(reader, rows, next=reader.ask)
            for reader, rows in zip(readers, (self._a_rows, self._w_rows), strict=True)
        )
        pending: deque[tuple[int, int]] = deque()
        asked = block = row = 0
        total = size * shape.blocks
        # when each block's rows may go into the shadows, and when readiness is told
        swaps, ready = [swap], [_NEVER] * shape.blocks
        cycle = min(load, active, a.next, w.next)
        # places in the buffer, and rows of scales, are free from the next cycle on
        returned_shifts: deque[int] = deque()
        returned: deque[tuple[int, Callable[[], None]]] = deque()
        while block < shape.blocks:
            while returned and returned[0][0] <= cycle:
                returned.popleft()[1]()
            # a row of weights goes into the shadows
            while returned_shifts and returned_shifts[0] <= cycle:
                returned_shifts.popleft()
                self._done += 1
            before = shifted
            if pending and pending[0][0] <= cycle and pending[0][1] < len(swaps):
                of = pending[0][1]
                if cycle >= swaps[of]:
                    pending.popleft()
                    shifted, number = cycle, self._done + len(returned_shifts) + 1 - of * size
                    returned_shifts.append(cycle + 1)
                    follows = bool(pending) and pending[0][0] <= cycle + 1
                    if number == size or (late and number == size - 1 and follows):
                        ready[of] = min(ready[of], cycle)
                    if number == size:
                        self.last_ready = cycle - late if cycle == before + 1 else cycle
            # activations
            used = -1
            n, k = self._order[block]
            if cycle >= active:
                waits = not row and ready[block] > cycle
                self.stalls += waits
                if not waits and a.there(cycle) and (row or cycle >= not_before):
                    used = pad.bank(shape.a_row + k + row * shape.a_stride)
                    if not row:
                        self.last_start = cycle
                        swaps.append(cycle + 1 + late)
                    self._stream(cycle, block, row)
                    row += 1
                    if row == shape.m or row % self._per_row == 0:
                        a.free(cycle)
                        returned.append((cycle + 1, lambda: self._freed(a)))
                    if row == shape.m:
                        block, row = block + 1, 0
                        if block % shape.k_blocks == 0:
                            not_before = cycle + 1 + self._column_gap
            # weights
            weights, waited = -1, False
            if asked < total and cycle >= load and asked - self._done < self._buffer_rows:
                at, step = divmod(asked, size)
                n, k = self._order[at]
                step = k * size + size - 1 - step
                padding = step >= shape.k
                bank = pad.bank(shape.w_row + n + step * shape.w_stride) if not padding else -2
                if padding or w.there(cycle):
                    if not padding and (bank == used or self._busy(bank, cycle, False)):
                        waited = True
                    else:
                        weights = bank
                        if not padding:
                            self.reads.append((bank, cycle))
                        pending.append((cycle + TIMING.matmul_load_latency + late, at))
                        asked += 1
                        if asked % size == 0:
                            w.free(cycle)
                            returned.append((cycle + 1, lambda: self._freed(w)))
            # scales
            for kind in (w, a):
                if kind.asks(cycle):
                    bank = self._scratchpad.bank(kind.rows[0])
                    if bank in (used, weights) or self._busy(bank, cycle, True):
                        waited = True
                    else:
                        kind.grant(cycle)
                        self.reads.append((bank, cycle))
                    break
            self.conflicts += waited
            cycle += 1
        self.end = cycle

    @staticmethod
    def _freed(scales: _Scales) -> None:
        scales.held -= 1

    def _stream(self, cycle: int, block: int, row: int) -> None:
        if self.streams:
            first, of, begin, count = self.streams[-1]
            if of == block and first + count == cycle:
                self.streams[-1] = first, of, begin, count + 1
                return
        self.streams.append((cycle, block, row, 1))
