"""The walk of a GATHER (``dma/gather.py``): rows by indices from the scratchpad, and when each can
be asked for.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Status

from ..local import LocalMemory
from ..timing import TIMING
from ..walks import RowList, TensorWalk
from .traffic import ArrayTraffic

__all__ = ["GatherWalk"]

_INDEX_BYTES = 4
_NO_LOOPS = dict.fromkeys(("more_1", "more_2", "more_3", "padded", "pad_value"), 0)
_NO_STRIDES = dict.fromkeys(("local_stride_1", "local_stride_2", "local_stride_3"), 0)


class GatherWalk(TensorWalk):
    """Each row begins where its index says. Indices are read a scratchpad row at a time, each row
    when the last index of the row before is taken, and multiplied one after the other.

    ``conflicts`` counts cycles in which a read waited for the array.
    """

    def __init__(
        self,
        fields: SimpleNamespace,
        config: ChipConfig,
        pad: LocalMemory,
        traffic: ArrayTraffic,
    ) -> None:
        load = SimpleNamespace(**{**_NO_LOOPS, **_NO_STRIDES, **vars(fields)})
        super().__init__(load, config, gathers=True)
        self._index_row = fields.index_row
        self._limit = fields.limit
        self._pad = pad
        self._traffic = traffic
        self._each = config.flit_bytes // _INDEX_BYTES
        self.conflicts = 0
        self._number = -1
        self._made = 0
        self._begins = 0
        self._taken = 0
        self._ended = 0
        self._granted = 0
        self._count = 0

    # --- rows ---------------------------------------------------------------------------------

    def row_fault(self, number: int) -> tuple[Status, int] | None:
        row, place = divmod(number, self._each)
        row += self._index_row
        if row >= self._pad.rows:
            return Status.LOCAL_RANGE, row
        if self._index(row, place) >= self._limit:
            return Status.INDEX, row
        return None

    def _index(self, row: int, place: int) -> int:
        return int(self._pad.data[row].view("<u4")[place])

    def _row(self, number: int) -> tuple[int, int, bool]:
        row, place = divmod(number, self._each)
        f = self._f
        address = f.memory_address + self._index(self._index_row + row, place) * f.memory_stride
        return address, f.local_row + number * f.local_stride, True

    def row_list(self) -> RowList | None:
        f = self._f
        if self._index_row + -(-self.rows // self._each) > self._pad.rows:
            return None
        indices = self._pad.data[self._index_row :].reshape(-1).view("<u4")[: self.rows]
        local = f.local_row + np.arange(self.rows) * f.local_stride
        last = int(local.max()) + -(-self.row_bytes // self._flit)
        furthest = f.memory_address + int(indices.max()) * f.memory_stride + self.row_bytes
        if indices.max() >= self._limit or last > self._pad_rows or furthest > self._space:
            return None
        address = f.memory_address + indices.astype(np.int64) * f.memory_stride
        return RowList(address, local, np.ones(self.rows, bool))

    # --- when ---------------------------------------------------------------------------------

    def take(self, cycle: int) -> None:
        """The walk is taken in ``cycle``."""
        self._made = cycle
        self._ended = cycle
        self._granted = self._grant(self._index_row, cycle + TIMING.gather_first)

    def _grant(self, row: int, ask: int) -> int:
        if row >= self._pad.rows:
            return ask
        granted = self._traffic.read_from(row, ask)
        self.conflicts += granted - ask
        return granted

    def made_from(self, cycle: int) -> int:
        """The first cycle in which the access in hand can be made."""
        number, packet = divmod(self._count, self._per_row)
        if packet:
            return cycle
        if number != self._number:
            self._number = number
            self._begins = self._begin(number)
        return self._begins + 1

    def _begin(self, number: int) -> int:
        """The cycle in which a row begins: its index has been multiplied, the row before is
        through.
        """
        row, place = divmod(number, self._each)
        taken = self._ended
        if not place:
            if number:
                self._granted = self._grant(self._index_row + row, self._taken + 1)
            taken = max(taken, self._granted + TIMING.gather_index)
        self._taken = taken
        self._ended = max(taken + TIMING.gather_product, self._begins)
        return max(self._ended + 1, self._made + 1)

    def make(self, cycle: int) -> None:
        """The access in hand is made in ``cycle``."""
        self._made = cycle
        self._count += 1
