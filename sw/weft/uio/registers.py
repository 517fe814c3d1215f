"""The register window: mapped from a UIO device, or asked for at a socket that stands in for it."""

from __future__ import annotations

import fcntl
import mmap
import os
import select
import socket
import stat
import struct
from pathlib import Path
from typing import Protocol

import numpy as np
from weft_hw.boards.zynq import WINDOW_BYTES

from .errors import UioError, open_window

__all__ = ["REQUEST", "MappedRegisters", "RegisterWindow", "SocketRegisters", "open_registers"]

#: What goes over a stand-in's socket: (1 write or 0 read, offset, value); answered by the value.
REQUEST = struct.Struct("<III")
_SYSTEM = Path("/sys/class/uio")
_ANSWER_S = 60.0


class RegisterWindow(Protocol):
    """32-bit registers by their byte offset."""

    path: str

    def read(self, offset: int) -> int:
        """A register's value."""

    def write(self, offset: int, value: int) -> None:
        """Writes a register."""

    def wait(self, seconds: float) -> None:
        """Sleeps until the interrupt may have come, at most so long."""

    def close(self) -> None:
        """Gives the window back."""


def open_registers(path: str) -> RegisterWindow:
    """The window behind ``path``.

    Raises
    ------
    OSError, ValueError, UioError
        if it cannot be opened, is too small, or is in use.
    """
    if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
        return SocketRegisters(path)
    return MappedRegisters(path)


class MappedRegisters:
    """Maps a UIO device, or a plain file of at least ``WINDOW_BYTES``.

    Accesses are single 32-bit loads and stores to memory that is mapped uncached, so they reach the
    chip in their order.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = open_window(
            path,
            os.O_RDWR | os.O_SYNC | os.O_CLOEXEC,
            missing="load the overlay and its device tree, which gives the chip the driver "
            "generic-uio, or name the UIO device that the chip has",
        )
        try:
            self._is_device = stat.S_ISCHR(os.fstat(self._descriptor).st_mode)
            self._lock()
            size = self._size()
            if size < WINDOW_BYTES:
                raise ValueError(
                    f"{path} must be a window of at least {WINDOW_BYTES} bytes of registers, and "
                    f"has {size}; give the chip's s_axi that range in the address editor"
                )
            self._map = mmap.mmap(self._descriptor, WINDOW_BYTES)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._words: np.ndarray | None = np.frombuffer(self._map, "<u4")

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UioError(f"{self.path} is in use by another program; close that first") from None

    def _size(self) -> int:
        told = _SYSTEM / Path(self.path).name / "maps" / "map0" / "size"
        if self._is_device and told.is_file():
            return int(told.read_text(), 0)
        return WINDOW_BYTES if self._is_device else os.fstat(self._descriptor).st_size

    def read(self, offset: int) -> int:
        return int(self._mapped()[offset // 4])

    def write(self, offset: int, value: int) -> None:
        self._mapped()[offset // 4] = value

    def _mapped(self) -> np.ndarray:
        if self._words is None:
            raise ValueError(f"{self.path} is closed; open the device again")
        return self._words

    def wait(self, seconds: float) -> None:
        """UIO counts interrupts: a write lets the next one through, a read takes it."""
        if self._is_device:
            os.write(self._descriptor, struct.pack("<I", 1))
            if select.select([self._descriptor], [], [], seconds)[0]:
                os.read(self._descriptor, 4)

    def close(self) -> None:
        if self._words is not None:
            # the map can be closed once nobody looks at it
            self._words = None
            self._map.close()
            os.close(self._descriptor)


class SocketRegisters:
    """Asks a ``stand_in.StandIn``, which is not a device: it has no memory to map for registers
    that act when they are read or written."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_ANSWER_S)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise UioError(f"nobody serves {path} ({error.strerror}); start the stand-in") from None

    def read(self, offset: int) -> int:
        return self._ask(0, offset, 0)

    def write(self, offset: int, value: int) -> None:
        self._ask(1, offset, value)

    def _ask(self, write: int, offset: int, value: int) -> int:
        try:
            self._socket.sendall(REQUEST.pack(write, offset, value))
            answer = self._socket.recv(4, socket.MSG_WAITALL)
        except OSError as error:
            raise UioError(f"{self.path} does not answer ({error})") from error
        if len(answer) < 4:
            raise UioError(f"{self.path} is gone; was the stand-in closed?")
        return int.from_bytes(answer, "little")

    def wait(self, seconds: float) -> None:
        """The next access is answered when the stand-in has run on."""

    def close(self) -> None:
        self._socket.close()
