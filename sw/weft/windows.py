"""Access windows: what commands may touch."""

from __future__ import annotations

from weft_hw.config import ChipConfig
from weft_hw.control.registers import WINDOW_PAGE_BYTES, WINDOW_READ, WINDOW_WRITE

from .registers import Registers

__all__ = ["Windows"]


class Windows:
    """The windows of a device. Window 0 is the driver's, for the heap; the rest are the user's."""

    def __init__(self, registers: Registers, config: ChipConfig) -> None:
        self._registers = registers
        self._count = config.host.windows
        self._wanted: dict[int, tuple[int, int, int]] = {}
        self._written: dict[int, tuple[int, int, int]] = {}

    def grant_heap(self, base: int, limit: int) -> None:
        """Window 0: ``[base, limit)`` rounded out to pages, read and write."""
        pages = -(-limit // WINDOW_PAGE_BYTES)
        self._wanted[0] = (base, pages * WINDOW_PAGE_BYTES, WINDOW_READ | WINDOW_WRITE)

    def grant(self, window: int, base: int, limit: int, *, read: bool, write: bool) -> None:
        """See ``Device.grant``."""
        if not 1 <= window < self._count:
            raise ValueError(
                f"window must be between 1 and {self._count - 1} (0 is the heap), not {window}"
            )
        if base % WINDOW_PAGE_BYTES or limit % WINDOW_PAGE_BYTES or not 0 <= base <= limit:
            raise ValueError(
                f"window range must be of whole pages of {WINDOW_PAGE_BYTES} bytes, "
                f"not [{base}, {limit})"
            )
        self._wanted[window] = (base, limit, read * WINDOW_READ | write * WINDOW_WRITE)

    def write(self) -> None:
        """Writes the registers of windows that changed."""
        for window, grant in self._wanted.items():
            before = self._written.get(window)
            if before == grant:
                continue
            base, limit, access = grant
            if before is None or before[0] != base or before[2] != access:
                # never open while half written
                self._registers.write(f"WINDOW_{window}_ACCESS", 0)
                self._registers.write(f"WINDOW_{window}_BASE", base // WINDOW_PAGE_BYTES)
            self._registers.write(f"WINDOW_{window}_LIMIT", limit // WINDOW_PAGE_BYTES)
            self._registers.write(f"WINDOW_{window}_ACCESS", access)
            self._written[window] = grant
