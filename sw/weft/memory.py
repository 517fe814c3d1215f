"""Allocation of device memory: first fit over a sorted list of free blocks, neighbours merged."""

from __future__ import annotations

from bisect import bisect_left

from .errors import DeviceMemoryError

__all__ = ["ALIGNMENT_BYTES", "Allocator"]

#: Every block begins at a multiple of this: a memory page of the register space, and no dtype needs
#: more.
ALIGNMENT_BYTES = 64


class Allocator:
    """Blocks of ``[base, limit)``, both multiples of 64 bytes.

    Raises
    ------
    ValueError
        if the range is empty or misaligned.
    """

    def __init__(self, base: int, limit: int) -> None:
        if not 0 <= base < limit or base % ALIGNMENT_BYTES or limit % ALIGNMENT_BYTES:
            raise ValueError(
                f"heap must be a range aligned to {ALIGNMENT_BYTES} bytes, not [{base}, {limit})"
            )
        self.base = base
        self.limit = limit
        self._free = [(base, limit - base)]
        self._used: dict[int, int] = {}
        self.high_water = base

    @property
    def free_bytes(self) -> int:
        return sum(size for _, size in self._free)

    @property
    def used_bytes(self) -> int:
        return sum(self._used.values())

    def allocate(self, size_bytes: int) -> int:
        """Address of a block of at least ``size_bytes``.

        Raises
        ------
        DeviceMemoryError
            if no free block is large enough.
        """
        size = max(1, -(-size_bytes // ALIGNMENT_BYTES)) * ALIGNMENT_BYTES
        for position, (address, available) in enumerate(self._free):
            if available >= size:
                if available == size:
                    del self._free[position]
                else:
                    self._free[position] = (address + size, available - size)
                self._used[address] = size
                self.high_water = max(self.high_water, address + size)
                return address
        largest = max((available for _, available in self._free), default=0)
        raise DeviceMemoryError(
            f"device memory has no free block of {size_bytes} bytes (largest {largest}, "
            f"{self.free_bytes} free in all); free buffers or give Dram a larger size_bytes"
        )

    def free(self, address: int) -> None:
        """Gives a block back.

        Raises
        ------
        ValueError
            if no block begins there (never allocated, or freed before).
        """
        size = self._used.pop(address, None)
        if size is None:
            raise ValueError(f"no allocated block begins at 0x{address:x}; was it freed before?")
        position = bisect_left(self._free, (address, 0))
        if position < len(self._free) and address + size == self._free[position][0]:
            size += self._free.pop(position)[1]
        if position > 0 and sum(self._free[position - 1]) == address:
            address, before = self._free.pop(position - 1)
            size += before
            position -= 1
        self._free.insert(position, (address, size))
