"""Kernels that become one program, so that one begins while the one before still works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .compiler.cost import Timing
from .compiler.program import Step, encode, link
from .compiler.schedule import copied, joined, scheduled
from .errors import DeviceError
from .event import Event

if TYPE_CHECKING:
    from .device import Device

__all__ = ["Batch", "BatchEvent"]

_NO_COMMANDS = np.empty((0, 64), np.uint8)


class BatchEvent(Event):
    """A kernel of a batch: done when the whole batch is. Waiting for it submits the batch."""

    def __init__(self, batch: Batch, name: str, result: Any) -> None:
        super().__init__(batch.device, _NO_COMMANDS, 0, (), result, name)
        self._batch = batch
        self._whole: Event | None = None
        self._indices = np.empty(0, np.int64)

    def place(self, whole: Event, numbers: Sequence[int]) -> None:
        """For the driver: the batch was submitted as ``whole``; ``numbers`` of its commands are
        this kernel's.
        """
        self._whole = whole
        self.sequence, self.doorbell_cycle = whole.sequence, whole.doorbell_cycle
        self.commands = whole.commands[list(numbers)]
        self._indices = whole.first_index + np.array(numbers, np.int64)
        self.first_index = int(self._indices.min())

    def _submitted(self) -> Event:
        self._batch.flush()
        assert self._whole is not None
        return self._whole

    @property
    def indices(self) -> np.ndarray:
        self._submitted()
        return self._indices

    @property
    def done(self) -> bool:
        return self._submitted().done

    @property
    def error(self) -> DeviceError | None:
        return None if self._whole is None else self._whole.error

    @property
    def finished(self) -> bool:
        return self._whole is not None and self._whole.finished

    @property
    def end_cycle(self) -> int:
        return self._submitted().end_cycle

    def wait(self, timeout_cycles: int | None = None) -> Any:
        self._submitted().wait(timeout_cycles)
        return self.result


class Batch:
    """What ``Device.batch`` collects."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._kernels: list[tuple[list[Step], BatchEvent]] = []
        self._keep: list[Any] = []

    def add(
        self, steps: Sequence[Step], *, name: str, keep: tuple[Any, ...], result: Any
    ) -> BatchEvent:
        """A kernel of one tile, its steps not yet linked."""
        event = BatchEvent(self, name, result)
        self._kernels.append((copied(steps), event))
        self._keep += [*keep, result]
        return event

    def flush(self) -> None:
        """Submits what there is."""
        kernels, self._kernels = self._kernels, []
        keep, self._keep = tuple(self._keep), []
        if not kernels:
            return
        device = self.device
        timing = Timing.of(device.config, device.target.dram)
        steps = scheduled(joined(device.config, [steps for steps, _ in kernels]), timing)
        link(steps)
        number = {step: at for at, step in enumerate(steps)}
        whole = device.enqueue(encode(steps), keep=keep, name="batch")
        for own, event in kernels:
            event.place(whole, sorted(number[step] for step in own))
            device.announce(event)
