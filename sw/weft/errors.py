"""What a device can raise. Mistakes in arguments are ``TypeError`` and ``ValueError`` like
everywhere in Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.isa import Engine, Status

if TYPE_CHECKING:
    from .hang import HangReport

__all__ = ["DeviceError", "DeviceHang", "DeviceMemoryError"]


class DeviceMemoryError(MemoryError):
    """Device memory has no free block of the size asked for."""


class DeviceError(RuntimeError):
    """A command failed. The queue has been reset; the device can be used again.

    Parameters
    ----------
    status
        First error, as the device reported it.
    index
        Ring index of the failed command, or None where no command is to blame.
    command
        The failed command as text, empty if unknown.
    tile, engine
        Where it failed; None if the control node found it.
    address
        Memory address (WINDOW, BUS) or local row (LOCAL_RANGE) that failed; None if there is none.
    """

    def __init__(
        self,
        message: str,
        *,
        status: Status,
        index: int | None = None,
        command: str = "",
        tile: tuple[int, int] | None = None,
        engine: Engine | None = None,
        address: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.index = index
        self.command = command
        self.tile = tile
        self.engine = engine
        self.address = address


class DeviceHang(DeviceError):
    """Commands did not complete in time. ``report`` says who waits on whom; the queue has been
    reset.
    """

    def __init__(self, message: str, *, report: HangReport, index: int | None = None) -> None:
        super().__init__(message, status=Status.WATCHDOG, index=index)
        self.report = report
