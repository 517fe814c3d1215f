"""``Device``: open a target, allocate memory, submit commands, wait, run kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.control.registers import WINDOW_PAGE_BYTES
from weft_hw.isa import Opcode
from weft_sim.dram import Dram
from weft_sim.target import Target

from .batch import Batch
from .buffer import DeviceBuffer, bytes_of, check_array, write_array
from .commands import as_array
from .compiler.check import check_program
from .compiler.program import Step, encode, link
from .device_kernels import DeviceKernels
from .event import Event
from .memory import Allocator
from .programs import ProgramStore
from .queue import CommandQueue
from .registers import Registers, check_capabilities, discover
from .targets import open_target
from .windows import Windows

__all__ = ["Device"]

_DEFAULT_RING_ENTRIES = 4096


class Device(DeviceKernels):
    """A chip and its memory.

    Parameters
    ----------
    target
        ``"model"``, ``"rtl"``, or a ``weft_sim.target.Target`` already open.
    config
        A preset's name, a ``ChipConfig`` or the path of a TOML file. With a ``Target`` it may be
        left out; if given, the device must be what it says.
    dram
        Memory of a target that is opened here; ``Dram()`` if left out.
    watchdog_cycles
        Cycles without a completion that count as a hang; scaled to the memory's latency and stalls
        if left out.
    ring_entries
        Commands that fit the ring, a power of two.
    debug
        Checks every submission for waits that nobody meets and semaphores that overflow, before it
        runs.

    Errors. When a command fails, the call that notices (``wait``, ``synchronize``, a buffer's
    ``numpy``, ``submit``) raises ``DeviceError`` or ``DeviceHang`` *after* it has reset the queue:
    the device can be used at once, memory keeps its bytes, and every submission that was pending
    has failed with the same error.

    Memory. Commands may touch only the part of device memory that buffers have ever used; the ring
    and the completion records lie outside. ``grant`` opens more.

    Raises
    ------
    TypeError, ValueError
        for an unknown target or configuration, or a device that is not what ``config`` says.
    """

    def __init__(
        self,
        target: str | Target = "model",
        config: str | Path | ChipConfig | None = None,
        *,
        dram: Dram | None = None,
        watchdog_cycles: int | None = None,
        ring_entries: int = _DEFAULT_RING_ENTRIES,
        debug: bool = False,
    ) -> None:
        self._open = False
        self.target, wanted, self._owns_target = open_target(target, config, dram)
        try:
            check_capabilities(discover(self.target), wanted)
            self._start(wanted, watchdog_cycles, ring_entries)
        except BaseException:
            if self._owns_target:
                self.target.close()
            raise
        self.debug = debug
        self._open = True
        self._batch: Batch | None = None
        #: Told of every submission.
        self.listeners: list[Callable[[Event], None]] = []

    def _start(self, config: ChipConfig, watchdog_cycles: int | None, ring_entries: int) -> None:
        self.config = config
        self.registers = Registers(self.target, config)
        self.windows = Windows(self.registers, config)
        self.queue = CommandQueue(
            self.target,
            self.registers,
            config,
            watchdog_cycles=watchdog_cycles,
            ring_entries=ring_entries,
        )
        self.programs = ProgramStore(self)
        heap = -(-self.queue.ring.limit // WINDOW_PAGE_BYTES) * WINDOW_PAGE_BYTES
        self.allocator = Allocator(heap, len(self.target.memory))

    # life

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        return self._open

    def require_open(self) -> None:
        """Raises ``ValueError`` if the device was closed."""
        if not self._open:
            raise ValueError("device is closed; open a new one with weft.Device")

    def close(self) -> None:
        """Frees the target if it was opened here. Buffers and views of them must not be used any
        more.
        """
        if self._open:
            self._open = False
            if self._owns_target:
                self.target.close()

    # memory

    def empty(self, shape: int | tuple[int, ...], dtype: Any = np.int8) -> DeviceBuffer:
        """A buffer with whatever the memory holds.

        Raises
        ------
        ValueError
            if a dimension is not positive.
        DeviceMemoryError
            if there is no room.
        """
        self.require_open()
        shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        for length in shape:
            if not isinstance(length, int | np.integer):
                raise TypeError(f"shape must hold integers, not {length!r}")
            if length < 1:
                raise ValueError(f"shape must not be zero-sized, not {shape}")
        shape = tuple(int(length) for length in shape)
        dtype = np.dtype(dtype)
        if dtype.hasobject or not dtype.isnative:
            raise TypeError(f"dtype must be of numbers in native byte order, not {dtype}")
        return DeviceBuffer(self, self.allocator.allocate(bytes_of(shape, dtype)), shape, dtype)

    def zeros(self, shape: int | tuple[int, ...], dtype: Any = np.int8) -> DeviceBuffer:
        """A buffer of zeros."""
        buffer = self.empty(shape, dtype)
        self._raw(buffer)[...] = 0
        return buffer

    def array(self, array: np.ndarray) -> DeviceBuffer:
        """A buffer with a copy of ``array``, which must be C-contiguous and not empty."""
        array = check_array(array, "array")
        buffer = self.empty(array.shape, array.dtype)
        write_array(self._raw(buffer), array)
        return buffer

    def _raw(self, buffer: DeviceBuffer) -> np.ndarray:
        """The bytes of a new buffer: nothing in flight knows it, so nobody has to wait."""
        return self.target.memory[buffer.address : buffer.address + buffer.nbytes]

    def grant(
        self, window: int, base: int, limit: int, *, read: bool = True, write: bool = False
    ) -> None:
        """Grants commands ``[base, limit)`` of memory (multiples of 4,096) through access window
        ``window``.

        Window 0 belongs to the driver. No access is granted if both ``read`` and ``write`` are
        false.

        Raises
        ------
        ValueError
            if there is no such window or the range is not of whole pages.
        """
        self.windows.grant(window, base, limit, read=read, write=write)

    # commands

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
        self.require_open()
        self._flush()
        rows = as_array(commands)
        if (rows[:, 0] == Opcode.PROGRAM.value).any():
            self.programs.forget()
        return self.announce(self.enqueue(rows, keep=keep, result=result, name=name))

    def run_steps(
        self, steps: Sequence[Step], *, name: str, keep: tuple[Any, ...], result: Any
    ) -> Event:
        """For kernels: submits steps in ring order that are not linked yet, now or with the batch
        that is open.
        """
        self.require_open()
        if self._batch is not None:
            return self._batch.add(steps, name=name, keep=keep, result=result)
        link(steps)
        return self.announce(self.enqueue(encode(steps), keep=keep, result=result, name=name))

    def enqueue(
        self, rows: np.ndarray, *, keep: tuple[Any, ...], result: Any = None, name: str = ""
    ) -> Event:
        """For the driver: ``submit`` for commands that load no programs of the user's own."""
        if self.debug:
            check_program(rows)
        self.windows.grant_heap(self.allocator.base, self.allocator.high_water)
        self.windows.write()
        return self.queue.submit(rows, self, keep, result, name)

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
        self.require_open()
        if self._batch is not None or self.config.mesh.tiles > 1:
            yield
            return
        self._batch = Batch(self)
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

    def poll(self) -> None:
        """Takes note of what has completed or failed, without letting the device run on.

        Raises
        ------
        DeviceError
            if a command failed that nobody has heard of yet.
        """
        self.require_open()
        self.queue.poll()

    def wait(self, event: Event, timeout_cycles: int | None = None) -> None:
        """Lets the device run until ``event`` is done; see ``Event.wait``."""
        self.require_open()
        self.queue.wait(event, timeout_cycles)

    def synchronize(self) -> None:
        """Waits for everything submitted.

        Raises
        ------
        DeviceError
            if a command failed, here or earlier, that nobody has heard of yet.
        """
        self.require_open()
        self._flush()
        self.queue.synchronize()

    def reset_queue(self) -> None:
        """Aborts what is in flight and starts the queue afresh; memory and buffers stay.

        Submissions that were pending fail. The driver does this itself whenever a command fails.
        """
        self.require_open()
        self.queue.reset()
