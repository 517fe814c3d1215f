"""The memory window: bytes that chip and processor both reach, and where the chip finds them."""

from __future__ import annotations

import mmap
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import open_window

__all__ = ["SharedMemory", "open_memory"]

_SYSTEM = Path("/sys/class/u-dma-buf")
_PAGE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """``bytes``: (size,) uint8, mapped; ``base``: its physical address."""

    path: str
    bytes: np.ndarray
    base: int


def open_memory(path: str, base: int | None) -> SharedMemory:
    """Maps all of a u-dma-buf, or of a file. ``base`` None: as the u-dma-buf says.

    Raises
    ------
    OSError
        if it cannot be opened.
    ValueError
        if its address is not known, or its size or address is not in whole pages.
    """
    descriptor = open_window(
        path,
        os.O_RDWR | os.O_SYNC | os.O_CLOEXEC,
        missing="load the module u-dma-buf with a size (udmabuf0=67108864), or name the file of "
        "the reserved memory",
    )
    try:
        told = _SYSTEM / Path(path).name
        if stat.S_ISCHR(os.fstat(descriptor).st_mode) and (told / "size").is_file():
            size = int((told / "size").read_text(), 0)
            base = int((told / "phys_addr").read_text(), 0) if base is None else base
        else:
            size = os.fstat(descriptor).st_size
        if base is None:
            raise ValueError(
                f"{path} does not tell its physical address; give it behind an @ "
                f"(uio:REGISTERS,{path}@0x10000000)"
            )
        for what, value in (("size", size), ("address", base)):
            if value % _PAGE_BYTES or value < 0 or (what == "size" and not value):
                raise ValueError(
                    f"{path} must have a {what} in whole pages of {_PAGE_BYTES} bytes, "
                    f"not {value:#x}"
                )
        mapped = mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)
    return SharedMemory(path, np.frombuffer(mapped, np.uint8), base)
