"""Transposing loads: strips of rows, and where their columns go (``dma/transpose.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Status

from .requests import Request

__all__ = ["Strip", "StripRow", "StripWalk", "is_legal_transpose", "transposed"]


def is_legal_transpose(fields: SimpleNamespace, config: ChipConfig) -> bool:
    """Whether a LOAD can be transposed."""
    loops = fields.more_1 or fields.more_2 or fields.more_3
    size = 1 << (fields.transpose - 1)
    return config.tile.transpose and not (loops or fields.padded or fields.row_bytes % size)


class Strip:
    """Strip ``number`` of a walk: ``columns`` go to scratchpad rows from ``row`` on, ``stride``
    apart. ``data`` collects its rows, (rows, bytes); ``whole`` says that none was refused.
    """

    __slots__ = ("columns", "data", "element_bytes", "row", "stride", "whole")

    def __init__(self, row: int, stride: int, columns: int, element_bytes: int) -> None:
        self.row = row
        self.stride = stride
        self.columns = columns
        self.element_bytes = element_bytes
        self.data: list[bytes] = []
        self.whole = True


class StripRow(Request):
    """A row of a strip; with ``ends`` its last one."""

    __slots__ = ("ends", "strip")

    def __init__(self, address: int, length: int, last: bool, flit: int, strip: Strip) -> None:
        super().__init__(address, length, strip.row, last, flit)
        self.strip = strip
        self.ends = False


class StripWalk:
    """The requests of a transposing LOAD, in order; all of it is checked before the first."""

    #: Its rows are not worked out ahead.
    only_reads = False

    def __init__(self, fields: SimpleNamespace, config: ChipConfig) -> None:
        f = self._f = fields
        self.element_bytes = 1 << (f.transpose - 1)
        self._flit = config.flit_bytes
        self._rows_at_once = config.flit_bytes // self.element_bytes
        self._width = config.transpose_columns * self.element_bytes
        self.columns = f.row_bytes // self.element_bytes
        self.local_rows = -(-f.rows // self._rows_at_once)
        self.fault: tuple[Status, int] | None = None
        pad, space = config.tile.scratchpad_rows, 1 << config.host.address_bits
        if f.local_row + (self.columns - 1) * f.local_stride + self.local_rows > pad:
            self.fault = Status.LOCAL_RANGE, max(f.local_row, pad)
        elif f.memory_address + (f.rows - 1) * f.memory_stride + f.row_bytes > space:
            self.fault = Status.WINDOW, space - 1

    def __iter__(self) -> Iterator[Request]:
        if self.fault is not None:
            return
        f, size = self._f, self.element_bytes
        for block in range(self.local_rows):
            first = block * self._rows_at_once
            end = min(first + self._rows_at_once, f.rows)
            for offset in range(0, f.row_bytes, self._width):
                length = min(self._width, f.row_bytes - offset)
                row = f.local_row + offset // size * f.local_stride + block
                strip = Strip(row, f.local_stride, length // size, size)
                for i in range(first, end):
                    last = end == f.rows and offset + length == f.row_bytes and i == end - 1
                    address = f.memory_address + i * f.memory_stride + offset
                    request = StripRow(address, length, last, self._flit, strip)
                    request.ends = i == end - 1
                    yield request


def transposed(source: np.ndarray, element_bytes: int, flit_bytes: int) -> np.ndarray:
    """(columns, bytes of whole scratchpad rows) uint8 of a source of (rows, bytes)."""
    rows = len(source)
    elements = source.reshape(rows, -1, element_bytes).transpose(1, 0, 2)
    columns, size = len(elements), rows * element_bytes
    result = np.zeros((columns, -(-size // flit_bytes) * flit_bytes), np.uint8)
    result[:, :size] = elements.reshape(columns, -1)
    return result
