"""Where a microprogram's vectors lie, and which of them overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from weft_hw.config import TileConfig
from weft_hw.formats.table import OPERANDS, Format, units_per_row, units_per_vector
from weft_hw.vector.microcode import STRIP, Fill

from .conversion import load_lanes, store_lanes
from .instructions import Decoded

__all__ = ["OutOfRange", "Stream", "Streams", "Use"]

_ALWAYS = (Format.INT8.value, Format.INT32.value, Format.FP32.value)
_NAMES = {code.value: name for name, code in OPERANDS.items()}
_FILL = {
    Fill.ZERO.value: np.uint32(0),
    Fill.MINUS_INFINITY.value: np.uint32(0xFF800000),
    Fill.PLUS_INFINITY.value: np.uint32(0x7F800000),
    Fill.ONE.value: np.uint32(0x3F800000),
}


class OutOfRange(Exception):
    """A vector leaves its memory; ``address`` is the row it begins in, modulo 2**32."""

    def __init__(self, address: int) -> None:
        super().__init__(address)
        self.address = address & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Stream:
    """A ``weft_hw.isa.StreamOperand``; ``format`` is a ``Format`` or its code."""

    row: int = 0
    row_stride: int = 0
    block_stride: int = 0
    format: Format | int = Format.INT8
    accumulator: bool | int = False

    @property
    def code(self) -> int:
        return self.format.value if isinstance(self.format, Format) else int(self.format)

    def is_legal(self, tile: TileConfig) -> bool:
        """Whether a tile can read and write it."""
        if self.accumulator:
            return self.code in (Format.INT32.value, Format.FP32.value)
        return self.code in _ALWAYS or _NAMES.get(self.code) in tile.formats


class Use(NamedTuple):
    """How an instruction uses a stream: all rows and ``blocks`` column blocks of it."""

    stream: int
    written: bool
    blocks: int


class _Placed:
    """A stream in its memory, in bytes."""

    def __init__(self, tile: TileConfig, stream: Stream, memory: np.ndarray, m: int) -> None:
        self.stream, self.memory, self.code = stream, memory.reshape(-1).view(np.uint8), stream.code
        self._m = m
        if stream.accumulator:
            self.unit_bytes = self.vector_bytes = self.row_bytes = tile.accumulator_row_bytes
        else:
            code, self.row_bytes = Format(self.code), tile.row_bytes
            self.unit_bytes = tile.row_bytes // units_per_row(tile, code)
            self.vector_bytes = self.unit_bytes * units_per_vector(tile, code)

    def offset(self, i: int, j: int) -> int:
        """First byte of a vector, not checked."""
        return self.unit_bytes * self.address(i, j)

    def holds(self, i: int, j: int) -> bool:
        return 0 <= self.offset(i, j) <= len(self.memory) - self.vector_bytes

    def holds_all(self, first: int, end: int, block: int, block_end: int) -> bool:
        """Whether the vectors of these rows and blocks lie in the memory."""
        return all(self.holds(i, j) for i in (first, end - 1) for j in (block, block_end - 1))

    def check(self, first: int, end: int, block: int, block_end: int) -> None:
        """Raises ``OutOfRange`` with the first vector that leaves the memory, if one does."""
        if not self.holds_all(first, end, block, block_end):
            for i in range(first, end):
                for j in range(block, block_end):
                    if not self.holds(i, j):
                        raise OutOfRange(self.offset(i, j) // self.row_bytes)

    def address(self, i: int, j: int) -> int:
        """Unit at which a vector begins, not checked."""
        stream = self.stream
        return stream.row + i * stream.row_stride + j * stream.block_stride

    def view(self, first: int, end: int, block: int, block_end: int) -> np.ndarray:
        """Bytes of rows and blocks, (rows, blocks, vector bytes); writable."""
        strides = (
            self.unit_bytes * self.stream.row_stride,
            self.unit_bytes * self.stream.block_stride,
            1,
        )
        shape = (end - first, block_end - block, self.vector_bytes)
        return np.ndarray(shape, np.uint8, self.memory, self.offset(first, block), strides)

    def granules(self, blocks: int, size: int) -> np.ndarray:
        """(M, blocks, granules of ``size`` bytes in a vector): their numbers in the memory."""
        step = self.unit_bytes // size
        i = np.arange(self._m).reshape(-1, 1, 1) * (self.stream.row_stride * step)
        j = np.arange(blocks).reshape(1, -1, 1) * (self.stream.block_stride * step)
        return self.stream.row * step + i + j + np.arange(self.vector_bytes // size)

    @property
    def rows_distinct(self) -> bool:
        """Whether no two vectors overlap that differ in their row."""
        return abs(self.stream.row_stride) * self.unit_bytes >= self.vector_bytes


class Streams:
    """The four streams of a run."""

    def __init__(
        self,
        tile: TileConfig,
        scratchpad: np.ndarray,
        accumulator: np.ndarray,
        streams: Sequence[Stream],
        m: int,
        n: int,
    ) -> None:
        self.m, self._lanes = m, tile.array_cols
        self._last, self._tail = (n - 1) // self._lanes, n % self._lanes
        self._streams = [
            _Placed(tile, stream, accumulator if stream.accumulator else scratchpad, m)
            for stream in streams
        ]

    def in_range(self, number: int, blocks: int) -> bool:
        return self._streams[number].holds_all(0, self.m, 0, blocks)

    def load(self, step: Decoded, first: int, end: int, block: int, block_end: int) -> np.ndarray:
        """Lanes (rows, blocks, C) of uint32.

        Raises
        ------
        OutOfRange
        """
        placed = self._streams[step.stream]
        placed.check(first, end, block, block_end)
        raw = np.array(placed.view(first, end, block, block_end), order="C")
        lanes = load_lanes(raw, placed.code, integer=step.integer)
        if self._tail and block_end > self._last:
            lanes[:, -1, self._tail :] = _FILL[step.fill]
        return lanes

    def store(
        self, step: Decoded, value: np.ndarray, first: int, end: int, block: int, block_end: int
    ) -> None:
        """Writes lanes (which broadcast to rows, blocks, C) of uint32.

        Raises
        ------
        OutOfRange
            after the rows before.
        """
        placed = self._streams[step.stream]
        shape = (end - first, block_end - block, self._lanes)
        lanes = np.array(np.broadcast_to(value, shape), order="C")
        if self._tail and block_end > self._last:
            lanes[:, -1, self._tail :] = 0
        raw = store_lanes(lanes, placed.code, integer=step.integer, saturate=step.saturate)
        whole = placed.holds_all(first, end, block, block_end)
        if whole and placed.rows_distinct:
            placed.view(first, end, block, block_end)[...] = raw
            return
        for i in range(first, end):
            placed.check(i, i + 1, block, block_end)
            placed.view(i, i + 1, block, block_end)[0] = raw[i - first]

    def independent(self, uses: Sequence[Use], *, rounds: bool) -> bool:
        """Whether nothing that one strip (with ``rounds``: one strip's round of a loop) writes is
        read or written by another.
        """
        uses = list(dict.fromkeys(uses))
        return all(self._apart(one, other, rounds) for one in uses if one.written for other in uses)

    def _apart(self, one: Use, other: Use, rounds: bool) -> bool:
        a, b = self._streams[one.stream], self._streams[other.stream]
        if a.stream.accumulator != b.stream.accumulator:
            return True
        size = min(a.unit_bytes, b.unit_bytes)
        theirs, their_tasks = b.granules(other.blocks, size), self._tasks(other.blocks, rounds)
        mine, tasks = a.granules(one.blocks, size), self._tasks(one.blocks, rounds)
        low, high = int(mine.min()), int(mine.max())
        owner = np.full(high - low + 1, -1)
        owner[mine - low] = tasks
        near = (theirs >= low) & (theirs <= high)
        found = owner[theirs[near] - low]
        return bool(((found < 0) | (found == np.broadcast_to(their_tasks, near.shape)[near])).all())

    def _tasks(self, blocks: int, rounds: bool) -> np.ndarray:
        """A number for what runs in order: the strip of each vector, or its strip and round."""
        strips = (np.arange(self.m) // STRIP).reshape(-1, 1, 1)
        return strips * blocks + np.arange(blocks).reshape(1, -1, 1) if rounds else strips
