"""Device memory on the far side of a slow line, as an array that keeps in step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .link import Link

__all__ = ["SyncedMemory"]

#: Staleness is kept for blocks of this size; the driver's buffers begin at multiples of it.
_BLOCK_BYTES = 64


class SyncedMemory:
    """``memory[a:b]`` is a numpy view of this computer's copy of the board's memory.

    Taking a view first brings over what the board may have written there since. What is written to
    a view goes to the board before the next register write (``flush``), byte by byte where it
    differs from what the board was last known to hold. So a view is up to date when it is taken,
    like ``DeviceBuffer.numpy()``; after another run take it again.

    ``settled`` tells whether the board is done writing: what is fetched then need not be fetched
    again.
    """

    def __init__(self, link: Link, size_bytes: int, settled: Callable[[], bool]) -> None:
        self._link = link
        self._settled = settled
        link.clear_memory(0, size_bytes)
        self._copy = np.zeros(size_bytes, np.uint8)
        self._board = np.zeros(size_bytes, np.uint8)
        self._stale = np.zeros(-(-size_bytes // _BLOCK_BYTES), bool)
        self.bytes_sent = 0
        self.bytes_received = 0

    def __len__(self) -> int:
        return len(self._copy)

    def __getitem__(self, key: Any) -> Any:
        self._fetch(*self._span(key))
        return self._copy[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self[key]
        self._copy[key] = value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype, copy=copy)

    def _span(self, key: Any) -> tuple[int, int]:
        if isinstance(key, slice):
            numbers = range(*key.indices(len(self._copy)))
            return (
                (min(numbers[0], numbers[-1]), max(numbers[0], numbers[-1]) + 1)
                if numbers
                else (0, 0)
            )
        if isinstance(key, int | np.integer) and -len(self._copy) <= key < len(self._copy):
            place = int(key) % len(self._copy)
            return place, place + 1
        return 0, len(self._copy)

    def expect_writes(self, spans: Iterable[tuple[int, int]]) -> None:
        """The board may write the bytes of ``spans`` (first, beyond) from now on."""
        for first, beyond in spans:
            self._stale[first // _BLOCK_BYTES : -(-beyond // _BLOCK_BYTES)] = True

    def flush(self) -> None:
        """Sends what was written here."""
        dirty = np.flatnonzero(self._copy != self._board)
        if not len(dirty):
            return
        # where the board writes nothing, short gaps go along instead of a request of their own
        stale = self._stale[dirty // _BLOCK_BYTES]
        gap = np.diff(dirty)
        cut = (gap > _BLOCK_BYTES) | (gap > 1) & (stale[1:] | stale[:-1])
        for run in np.split(dirty, np.flatnonzero(cut) + 1):
            first, beyond = int(run[0]), int(run[-1]) + 1
            self._link.write_memory(first, self._copy[first:beyond].tobytes())
            self._board[first:beyond] = self._copy[first:beyond]
            self.bytes_sent += beyond - first

    def _fetch(self, first: int, beyond: int) -> None:
        """Brings over what is stale of a range."""
        blocks = np.arange(first // _BLOCK_BYTES, -(-beyond // _BLOCK_BYTES))
        if first == beyond or not self._stale[blocks].any():
            return
        self.flush()
        settled = self._settled()
        for low, high in _runs(blocks[self._stale[blocks]]):
            start, end = low * _BLOCK_BYTES, min(high * _BLOCK_BYTES, len(self._copy))
            data = np.frombuffer(self._link.read_memory(start, end - start), np.uint8)
            self._copy[start:end] = self._board[start:end] = data
            self._stale[low:high] = not settled
            self.bytes_received += end - start


def _runs(numbers: np.ndarray) -> Iterator[tuple[int, int]]:
    """Rising ``numbers`` as runs (first, beyond) of consecutive ones."""
    for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1):
        yield int(run[0]), int(run[-1]) + 1
