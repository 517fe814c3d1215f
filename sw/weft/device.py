"""``Device``: open a target, allocate memory, submit commands, wait, run kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.control.registers import WINDOW_PAGE_BYTES
from weft_sim.dram import Dram
from weft_sim.target import Target

from .buffer import DeviceBuffer, bytes_of, check_array, write_array
from .device_kernels import DeviceKernels
from .device_submissions import DeviceSubmissions
from .event import Event
from .memory import Allocator
from .programs import ProgramStore
from .queue import CommandQueue
from .registers import Registers, check_capabilities, discover
from .targets import open_target
from .windows import Windows

__all__ = ["Device"]

_DEFAULT_RING_ENTRIES = 4096


class Device(DeviceKernels, DeviceSubmissions):
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
        super().__init__()
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

    # commands in flight

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
        self._flush()
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
