"""What the driver needs of a device: registers, memory, time. Cycle model and RTL both give it."""

import operator
from typing import Protocol

import numpy as np
from weft_hw.config import ChipConfig

from .dram import Dram

__all__ = [
    "LAST_OFFSET",
    "TRACE_DTYPE",
    "Target",
    "check_cycles",
    "check_offset",
    "check_word",
    "device_bytes",
]

#: Of the last register that an AXI4-Lite port with 32 address bits can have.
LAST_OFFSET = 2**32 - 4

#: One engine event: ``kind`` 0 the engine took the command, 1 it is done. Arrays of these are
#: sorted by cycle.
TRACE_DTYPE = np.dtype(
    [("cycle", "<u8"), ("tile", "<u2"), ("engine", "u1"), ("kind", "u1"), ("index", "<u4")]
)


class Target(Protocol):
    """A device under the driver."""

    config: ChipConfig
    dram: Dram
    memory: np.ndarray
    """(size_bytes,) uint8: device memory, shared with the device without a copy."""

    @property
    def cycle(self) -> int:
        """Cycles since reset."""

    def read_register(self, offset: int) -> int:
        """A 32-bit register read over AXI4-Lite (takes device cycles)."""

    def write_register(self, offset: int, value: int) -> None:
        """A 32-bit register write over AXI4-Lite (takes device cycles)."""

    def run(self, max_cycles: int) -> bool:
        """Runs until the interrupt line is high (True) or ``max_cycles`` have passed (False)."""

    def set_tracing(self, enabled: bool) -> None:
        """Records engine events from now on, or stops."""

    def trace(self) -> np.ndarray:
        """Engine events recorded, (n,) TRACE_DTYPE."""

    def statistics(self) -> dict[str, int]:
        """Integer counts since reset: ``bytes_read``, ``bytes_written`` (on memory endpoints' AXI
        ports, useful bytes as strobed or asked for), ``beats_read``, ``beats_written``,
        ``last_write_response_cycle``, ``host_bytes_read``, ``host_bytes_written``."""

    def reset(self) -> None:
        """Chip reset. Memory keeps its bytes."""

    def close(self) -> None:
        """Frees the device."""


def check_offset(offset: int, last: int = LAST_OFFSET) -> int:
    """A register's byte offset, as ``int``.

    Raises
    ------
    ValueError
        if it is no multiple of 4, or beyond ``last``.
    """
    offset = operator.index(offset)
    if not 0 <= offset <= last or offset % 4:
        raise ValueError(f"offset must be a multiple of 4 from 0 to {last:#x}, not {offset}")
    return offset


def check_word(value: int) -> int:
    """A register's value, as ``int``.

    Raises
    ------
    ValueError
        if it has not 32 bits.
    """
    value = operator.index(value)
    if not 0 <= value < 2**32:
        raise ValueError(f"value must be between 0 and 2**32 - 1, not {value}")
    return value


def check_cycles(max_cycles: int) -> int:
    """How long to run, as ``int``.

    Raises
    ------
    ValueError
        if it is negative.
    """
    cycles = operator.index(max_cycles)
    if cycles < 0:
        raise ValueError(f"max_cycles must be at least 0, not {cycles}")
    return cycles


def device_bytes(dram: Dram, memory: np.ndarray | None) -> np.ndarray:
    """The bytes behind a device's ports: ``memory`` if it is given, else new ones.

    Raises
    ------
    ValueError
        if ``memory`` is not one row of as many bytes as ``dram`` has.
    """
    if memory is None:
        return np.zeros(dram.size_bytes, np.uint8)
    if (
        memory.dtype != np.uint8
        or memory.shape != (dram.size_bytes,)
        or not memory.flags.c_contiguous
    ):
        raise ValueError(
            f"memory must be ({dram.size_bytes},) uint8 in one piece, "
            f"not {memory.shape} {memory.dtype}"
        )
    return memory
