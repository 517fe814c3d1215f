"""The end of a submission, to be waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import DeviceError

if TYPE_CHECKING:
    from .device import Device

__all__ = ["Event"]


class Event:
    """One submission: ring indices ``first_index`` to ``fence_index``, the fence that ends it.

    ``result`` is what a kernel will have computed (a ``DeviceBuffer``), valid once done; None for
    plain commands. ``name``: the kernel's.
    """

    def __init__(
        self,
        device: Device,
        commands: np.ndarray,
        sequence: int,
        keep: tuple[Any, ...],
        result: Any,
        name: str = "",
    ) -> None:
        self._device = device
        self._error: DeviceError | None = None
        self._end_cycle: int | None = None
        self._keep = keep
        self.commands = commands
        self.sequence = sequence
        self.result = result
        self.name = name
        self.first_index = 0
        self.doorbell_cycle = 0

    @property
    def fence_index(self) -> int:
        """Ring index (free-running) of the fence."""
        return self.first_index + len(self.commands) - 1

    @property
    def indices(self) -> np.ndarray:
        """Ring indices of its commands, without the fence."""
        return np.arange(self.first_index, self.fence_index)

    @property
    def done(self) -> bool:
        """Whether everything in the submission has completed; does not let the device run.

        Raises
        ------
        DeviceError
            if it never will, because a command failed.
        """
        if self._end_cycle is None and self._error is None:
            self._device.poll()
        if self._error is not None:
            raise self._error
        return self._end_cycle is not None

    @property
    def error(self) -> DeviceError | None:
        """Why it failed; None while pending or done."""
        return self._error

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen: done or failed. Asks the host's memory only."""
        return self._end_cycle is not None or self._error is not None

    @property
    def end_cycle(self) -> int:
        """The chip's cycle when its last command had completed. Waits for it."""
        self.wait()
        assert self._end_cycle is not None
        return self._end_cycle

    def wait(self, timeout_cycles: int | None = None) -> Any:
        """Lets the device run until done; returns ``result``.

        Raises
        ------
        DeviceHang
            if it is not done within ``timeout_cycles``, or the device's watchdog saw no progress.
        DeviceError
            if a command failed.
        """
        self._device.wait(self, timeout_cycles)
        return self.result

    def complete(self, cycle: int) -> None:
        """For the driver: the completion record has arrived."""
        self._end_cycle = cycle
        self._keep = ()

    def fail(self, error: DeviceError) -> None:
        """For the driver: this will never complete."""
        self._error = error
        self._keep = ()
