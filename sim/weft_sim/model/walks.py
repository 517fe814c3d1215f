"""Loads with outer loops and padding, and fills: rows here and there (``dma/pattern.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from weft_hw.axi.bursts import PAGE_BYTES
from weft_hw.config import ChipConfig
from weft_hw.isa import Status

from .memory import DeviceMemory, Windows
from .requests import Request

__all__ = ["Fill", "RowList", "TensorWalk", "fill_walk", "is_tensor", "pattern"]

#: Walks of more rows are not looked at as a whole.
_MOST_ROWS = 1 << 18
#: Addresses of more bits are not worked on as arrays.
_MOST_BYTES = 1 << 60


def is_tensor(fields: SimpleNamespace) -> bool:
    """Whether a LOAD has more than one loop, or padding."""
    return bool(fields.more_1 or fields.more_2 or fields.more_3 or fields.padded)


def pattern(value: int, count: int) -> np.ndarray:
    """(count,) uint8: a 32-bit ``value`` repeated."""
    word = np.frombuffer(value.to_bytes(4, "little"), np.uint8)
    return np.resize(word, count)


class Fill(Request):
    """Rows that the load engine writes itself: ``size`` bytes of ``value``, then zeros."""

    __slots__ = ("size", "value")

    def __init__(self, row: int, size: int, last: bool, flit_bytes: int, value: int) -> None:
        super().__init__(0, size, row, last, flit_bytes)
        self.size = size
        self.value = value
        # bytes that are not loaded are not counted
        self.length = 0

    def ask(self, windows: Windows, memory: DeviceMemory, access: int, flit_bytes: int) -> None:
        """Nothing is read, nothing refused."""


class RowList(NamedTuple):
    """All rows of a walk: where they lie in memory and begin in the scratchpad, and which are
    read; (rows,) each.
    """

    addresses: np.ndarray
    locals: np.ndarray
    read: np.ndarray


class TensorWalk:
    """The requests of a LOAD with outer loops or padding, or of a FILL, in order.

    ``rows`` counts those of all repetitions; rows without a gap are one run, unless each may be
    padded. A walk ends early, with ``fault``, as ``requests.Walk`` does.
    """

    def __init__(
        self,
        fields: SimpleNamespace,
        config: ChipConfig,
        *,
        fills: bool = False,
        gathers: bool = False,
    ) -> None:
        self._f = fields
        self._flit = config.flit_bytes
        self._packet = config.mesh.max_packet_bytes
        self._pad_rows = config.tile.scratchpad_rows
        self._space = 1 << config.host.address_bits
        self._fills = fills
        self._gathers = gathers
        self.value = fields.pad_value
        row_flits = -(-fields.row_bytes // self._flit)
        linear = (
            fields.memory_stride == fields.row_bytes
            and fields.local_stride == row_flits
            and fields.row_bytes % self._flit == 0
            and not fields.padded
            and not (fills or gathers)
        )
        self.row_bytes = fields.rows * fields.row_bytes if linear else fields.row_bytes
        self._inner = 1 if linear else fields.rows
        self._more = (fields.more_1 + 1, fields.more_2 + 1, fields.more_3 + 1)
        self.rows = self._inner * self._more[0] * self._more[1] * self._more[2]
        self.fault: tuple[Status, int] | None = None
        #: all rows, once they are known to be in range
        self.known: RowList | None = None
        self._per_row = -(-self.row_bytes // self._packet)

    @property
    def only_reads(self) -> bool:
        """Whether every row is read, as soon as it can be asked for."""
        return not (self._fills or self._gathers or self._f.padded)

    # --- rows ---------------------------------------------------------------------------------

    def _row(self, number: int) -> tuple[int, int, bool]:
        """(address, scratchpad row, whether it is read) of a row."""
        f = self._f
        rest, i = divmod(number, self._inner)
        rest, i1 = divmod(rest, self._more[0])
        i3, i2 = divmod(rest, self._more[1])
        local = f.local_row + i * f.local_stride
        local += i1 * f.local_stride_1 + i2 * f.local_stride_2 + i3 * f.local_stride_3
        if self._fills:
            return 0, local, False
        address = f.memory_address
        if rest or i1:
            address += i1 * f.memory_stride_1 + i2 * f.memory_stride_2 + i3 * f.memory_stride_3
            address %= self._space
        address += i * f.memory_stride
        if not f.padded:
            return address, local, True
        y = f.pad_y + i1 * f.step_y + i3 * f.dilation_y
        x = f.pad_x + i * f.step_x + i2 * f.dilation_x
        return address % self._space, local, 0 <= y < f.height and 0 <= x < f.width

    def row_list(self) -> RowList | None:
        """All rows, if there are not too many and none is out of range."""
        f = self._f
        if self.rows > _MOST_ROWS or self._space > _MOST_BYTES:
            return None
        shape = (self._more[2], self._more[1], self._more[0], self._inner)
        i3, i2, i1, i = (index.reshape(-1) for index in np.indices(shape))
        local = f.local_row + i * f.local_stride
        local += i1 * f.local_stride_1 + i2 * f.local_stride_2 + i3 * f.local_stride_3
        if int(local.max()) - 1 + -(-self.row_bytes // self._flit) >= self._pad_rows:
            return None
        if self._fills:
            return RowList(np.zeros(self.rows, np.int64), local, np.zeros(self.rows, bool))
        # what is beyond 64 bits is a whole number of address spaces, but for the first repetition
        if f.memory_address >= self._space and not f.padded:
            return None
        address = f.memory_address % self._space
        address = address + i1 * f.memory_stride_1 + i2 * f.memory_stride_2
        address = (address + i3 * f.memory_stride_3) % self._space + i * f.memory_stride
        read = np.ones(self.rows, bool)
        if f.padded:
            address %= self._space
            y = f.pad_y + i1 * f.step_y + i3 * f.dilation_y
            x = f.pad_x + i * f.step_x + i2 * f.dilation_x
            read = (0 <= y) & (y < f.height) & (0 <= x) & (x < f.width)
        if read.any() and int(address[read].max()) + self.row_bytes > self._space:
            return None
        return RowList(address, local, read)

    def row_fault(self, number: int) -> tuple[Status, int] | None:
        """Why a row cannot be asked for, whatever its address."""
        return None

    # --- requests -----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Request]:
        return self.requests_from(0)

    def requests_from(self, number: int) -> Iterator[Request]:
        """The requests but for the first ``number``."""
        packet, flit = self._packet, self._flit
        begin, skip = divmod(number, self._per_row)
        for row in range(begin, self.rows):
            self.fault = self.row_fault(row)
            if self.fault is not None:
                return
            address, local, read = self._row(row)
            for start in range(skip * packet, self.row_bytes, packet):
                length = min(packet, self.row_bytes - start)
                first = local + start // flit
                if first + -(-length // flit) > self._pad_rows:
                    self.fault = (Status.LOCAL_RANGE, max(first, self._pad_rows))
                    return
                if read and address + start + length > self._space:
                    self.fault = (Status.WINDOW, self._space - 1)
                    return
                last = row == self.rows - 1 and start + packet >= self.row_bytes
                if read:
                    yield Request(address + start, length, first, last, flit)
                else:
                    yield Fill(first, length, last, flit, self.value)
            skip = 0

    def bytes_of(self, count: int) -> int:
        """Bytes of the first ``count`` requests."""
        rows, rest = divmod(count, self._per_row)
        return rows * self.row_bytes + min(rest * self._packet, self.row_bytes)

    def sizes(self) -> Iterator[tuple[int, int, int]]:
        """(flits, beats, bursts) of every request of a walk that only reads, without a fault."""
        packet, flit = self._packet, self._flit
        for row in range(self.rows):
            address, _, _ = self._row(row)
            offset = address % flit
            for start in range(0, self.row_bytes, packet):
                length = min(packet, self.row_bytes - start)
                bursts = 2 if (address + start) % PAGE_BYTES + length > PAGE_BYTES else 1
                yield -(-length // flit), (offset + length - 1) // flit + 1, bursts


def fill_walk(fields: SimpleNamespace, config: ChipConfig) -> TensorWalk:
    """The walk of a FILL."""
    nothing = dict.fromkeys(
        ("more_1", "more_2", "more_3", "local_stride_1", "local_stride_2", "local_stride_3"), 0
    )
    load = SimpleNamespace(
        rows=fields.rows,
        row_bytes=fields.columns * config.flit_bytes,
        local_row=fields.row,
        local_stride=fields.stride,
        memory_stride=0,
        padded=0,
        pad_value=fields.value,
        **nothing,
    )
    return TensorWalk(load, config, fills=True)
