"""Device memory and the access windows that guard it."""

from collections.abc import Sequence

import numpy as np
from weft_hw.control.registers import WINDOW_PAGE_BYTES, WINDOW_READ, WINDOW_WRITE

from ..dram import Dram

__all__ = ["WINDOW_READ", "WINDOW_WRITE", "DeviceMemory", "Windows"]


class Windows:
    """Which pages the host granted, and for what: rows of (first page, first page beyond,
    access).
    """

    def __init__(self, count: int, address_bits: int) -> None:
        self.rows = [[0, 0, 0] for _ in range(count)]
        self._limit = 1 << address_bits

    def clear(self) -> None:
        for row in self.rows:
            row[:] = [0, 0, 0]

    def grants(self, address: int, length: int, access: int) -> bool:
        """Whether one window holds every page of ``length`` bytes from ``address`` with
        ``access``.
        """
        if address + length > self._limit:
            return False
        first = address // WINDOW_PAGE_BYTES
        last = (address + length - 1) // WINDOW_PAGE_BYTES
        return any(
            rights & access and base <= first and last < limit for base, limit, rights in self.rows
        )


class DeviceMemory:
    """The bytes behind all AXI ports, with the addresses that answer with an error."""

    def __init__(self, dram: Dram, data: np.ndarray) -> None:
        self.data = data
        self._error = (dram.error_base, dram.error_limit)

    def fails(self, address: int, length: int) -> bool:
        """Whether an access answers SLVERR: it leaves the memory or touches the error range."""
        base, limit = self._error
        end = address + length
        return end > len(self.data) or (base < limit and address < limit and end > base)

    def rows(self, address: int, stride: int, rows: int, row_bytes: int) -> np.ndarray:
        """(rows, row_bytes) view of a strided block, which must lie in the memory."""
        return np.lib.stride_tricks.as_strided(
            self.data[address:], shape=(rows, row_bytes), strides=(stride, 1)
        )

    def read(self, address: int, length: int) -> bytes:
        return self.data[address : address + length].tobytes()

    def write(self, address: int, raw: bytes | Sequence[int]) -> None:
        self.data[address : address + len(raw)] = np.frombuffer(bytes(raw), np.uint8)
