"""What a device is given to do: commands, kernels' steps, batches of kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from weft_hw.isa import Opcode

from .batch import Batch
from .commands import as_array
from .compiler.check import check_program
from .compiler.program import Step, encode, link
from .event import Event

if TYPE_CHECKING:
    from .device import Device

__all__ = ["DeviceSubmissions"]


class DeviceSubmissions:
    """How ``Device`` submits. Submissions run one after the other; kernels of a batch do not wait
    for each other but where they must.
    """

    def __init__(self) -> None:
        self._batch: Batch | None = None
        #: Told of every submission.
        self.listeners: list[Callable[[Event], None]] = []

    @property
    def _owner(self) -> Device:
        """This object, as the driver knows it: ``Device`` is the one class that inherits."""
        return cast("Device", self)

    def submit(
        self,
        commands: Iterable[bytes] | np.ndarray,
        *,
        keep: tuple[Any, ...] = (),
        result: Any = None,
        name: str = "",
    ) -> Event:
        """Puts commands (64 bytes each) and a fence into the ring; waits only where the ring is
        full.

        ``keep`` is held until they are done (buffers that they use). Submissions run one after the
        other. ``name`` is for reports.

        Raises
        ------
        ValueError
            in debug mode, if a wait is never met or a semaphore can overflow.
        DeviceError
            if an earlier command failed while this waited for room in the ring.
        """
        self._owner.require_open()
        self._flush()
        rows = as_array(commands)
        if (rows[:, 0] == Opcode.PROGRAM.value).any():
            self._owner.programs.forget()
        return self.announce(self.enqueue(rows, keep=keep, result=result, name=name))

    def run_steps(
        self, steps: Sequence[Step], *, name: str, keep: tuple[Any, ...], result: Any
    ) -> Event:
        """For kernels: submits steps in ring order that are not linked yet, now or with the batch
        that is open.
        """
        self._owner.require_open()
        if self._batch is not None:
            return self._batch.add(steps, name=name, keep=keep, result=result)
        link(steps)
        return self.announce(self.enqueue(encode(steps), keep=keep, result=result, name=name))

    def enqueue(
        self, rows: np.ndarray, *, keep: tuple[Any, ...], result: Any = None, name: str = ""
    ) -> Event:
        """For the driver: ``submit`` for commands that load no programs of the user's own."""
        owner = self._owner
        if owner.debug:
            check_program(rows)
        owner.windows.grant_heap(owner.allocator.base, owner.allocator.high_water)
        owner.windows.write()
        return owner.queue.submit(rows, owner, keep, result, name)

    def announce(self, event: Event) -> Event:
        """For the driver: tells listeners of a submission."""
        for listener in self.listeners:
            listener(event)
        return event

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Kernels called inside become one program: engines go on from one to the next without
        waiting for all of the first, and weights are loaded ahead. Results are the same bit for
        bit.

        It is submitted when the block ends, and earlier where a result is read, an event waited
        for, or commands are submitted otherwise. On chips of several tiles it changes nothing:
        kernels wait for each other there.
        """
        self._owner.require_open()
        if self._batch is not None or self._owner.config.mesh.tiles > 1:
            yield
            return
        self._batch = Batch(self._owner)
        try:
            yield
        finally:
            batch, self._batch = self._batch, None
            batch.flush()

    @property
    def batches(self) -> bool:
        """Whether a batch is open."""
        return self._batch is not None

    def _flush(self) -> None:
        if self._batch is not None:
            self._batch.flush()
