"""A simulated chip behind files like a board's: a socket for registers, a file for memory."""

from __future__ import annotations

import mmap
import select
import socket
import threading
from pathlib import Path
from typing import cast

import numpy as np
from weft_hw.boards.zynq import BASE_HI, BASE_LO, WINDOW_BYTES
from weft_hw.config import ChipConfig
from weft_hw.control.registers import ADDRESS_BITS
from weft_sim.dram import Dram
from weft_sim.model import ModelTarget
from weft_sim.rtl import RtlTarget
from weft_sim.target import Target

from ..targets import check_target
from .registers import REQUEST

__all__ = ["StandIn"]

#: Where the memory would lie on a board; any whole page would do.
_BASE = 0x1000_0000
#: The chip runs in slices of so many cycles while nobody asks for a register.
_SLICE_CYCLES = 5_000


class StandIn:
    """Serves one driver at a time from a thread: ``Device(stand_in.name)`` opens it.

    Registers are the chip's and the wrapper's. Time passes whether anybody asks or not.

    Parameters
    ----------
    folder : Path
        Where ``registers`` and ``memory`` are made.
    config : ChipConfig
    kind : str
        What the chip is: "model", or "rtl", compiled if need be.
    memory_bytes : int
        A multiple of 4,096.

    Raises
    ------
    ValueError
        for another kind or an odd size.
    """

    def __init__(
        self, folder: Path, config: ChipConfig, *, kind: str = "model", memory_bytes: int = 1 << 20
    ) -> None:
        check_target(kind, config)
        dram = Dram(size_bytes=memory_bytes)
        self.registers, self.memory = folder / "registers", folder / "memory"
        self.name = f"uio:{self.registers},{self.memory}@{_BASE:#x}"
        shared = _mapped(self.memory, memory_bytes)
        chip = ModelTarget if kind == "model" else RtlTarget
        self._target = cast("Target", chip(config, dram, memory=shared))
        self._base = [0, 0]
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.registers))
        self._listener.listen(1)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="stand-in", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closing.is_set():
            if not select.select([self._listener], [], [], 0.05)[0]:
                continue
            driver, _ = self._listener.accept()
            with driver:
                self._talk(driver)

    def _talk(self, driver: socket.socket) -> None:
        while not self._closing.is_set():
            if not select.select([driver], [], [], 0)[0]:
                # without the memory's address nothing that runs would find its bytes
                if self._base != [_BASE, 0] or self._target.run(_SLICE_CYCLES):
                    select.select([driver], [], [], 0.05)
                continue
            request = driver.recv(REQUEST.size, socket.MSG_WAITALL)
            if len(request) < REQUEST.size:
                return
            write, offset, value = REQUEST.unpack(request)
            driver.sendall(self._access(bool(write), offset, value).to_bytes(4, "little"))

    def _access(self, write: bool, offset: int, value: int) -> int:
        if offset in (BASE_LO, BASE_HI):
            if write:
                self._base[offset == BASE_HI] = value
            return self._base[offset == BASE_HI]
        if offset % 4 or not 0 <= offset < min(WINDOW_BYTES, 1 << ADDRESS_BITS):
            return 0
        if write:
            self._target.write_register(offset, value)
            return value
        return self._target.read_register(offset)

    def close(self) -> None:
        """Stops and frees the chip."""
        self._closing.set()
        self._thread.join()
        self._listener.close()
        self._target.close()
        self.registers.unlink(missing_ok=True)

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _mapped(path: Path, size_bytes: int) -> np.ndarray:
    """The bytes of a file of zeros, made at ``path``."""
    with path.open("wb+") as file:
        file.truncate(size_bytes)
        return np.frombuffer(mmap.mmap(file.fileno(), size_bytes), np.uint8)
