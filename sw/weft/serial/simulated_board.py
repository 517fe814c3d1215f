"""A prototype board in software: the compiled FPGA top behind a pseudo-terminal."""

from __future__ import annotations

import ctypes
import os
import threading
import tty
from pathlib import Path

from weft_hw.boards.prototype import Prototype
from weft_hw.config import ChipConfig
from weft_sim.rtl.cache import build_root

from .board_build import build_board

__all__ = ["SimulatedBoard"]

#: As few cycles a bit as the UART takes, so that the simulation spends its time on the chip. The
#: clock is a fiction that hosts turn cycles into seconds with.
_CLOCK_HZ, _BAUD = 4_000_000, 1_000_000
_MESSAGE_BYTES = 1024


class SimulatedBoard:
    """The FPGA top of ``config`` as Verilator compiles it, running in a thread.

    ``Device(f"serial:{board.path}")`` opens it, as it would a real one.

    Parameters
    ----------
    config : ChipConfig
    memory_kib : int
        On-chip memory, a multiple of 4.
    build_dir : path or None
        Where builds are kept; None is ``weft_sim.rtl.cache.build_root()``.

    Raises
    ------
    ToolchainError, BuildError
        if it cannot be built.
    RuntimeError
        from ``close``, if a hardware assertion failed.
    """

    def __init__(
        self, config: ChipConfig, *, memory_kib: int = 128, build_dir: Path | None = None
    ) -> None:
        prototype = Prototype(config, memory_kib=memory_kib, clock_hz=_CLOCK_HZ, baud=_BAUD)
        root = build_root() if build_dir is None else build_dir
        self._run_board = ctypes.CDLL(str(build_board(prototype, root))).weft_board_run
        self._run_board.argtypes = [
            ctypes.c_int,
            ctypes.POINTER(ctypes.c_int),
            ctypes.c_char_p,
            ctypes.c_size_t,
        ]
        # the board's end stays open here, so that the terminal lives on between two hosts
        self._board_end, self._host_end = os.openpty()
        os.set_blocking(self._board_end, False)
        tty.setraw(self._host_end)
        self.path = os.ttyname(self._host_end)
        self._stop = ctypes.c_int(0)
        self._message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        self._thread = threading.Thread(target=self._run, name="simulated board", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._run_board(
            self._board_end,
            ctypes.byref(self._stop),
            self._message,
            ctypes.c_size_t(_MESSAGE_BYTES),
        )

    def close(self) -> None:
        """Stops the board."""
        if not self._thread.is_alive() and self._stop.value:
            return
        self._stop.value = 1
        self._thread.join()
        os.close(self._board_end)
        os.close(self._host_end)
        if self._message.value:
            raise RuntimeError(f"the simulated board stopped: {self._message.value.decode()}")

    def __enter__(self) -> SimulatedBoard:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
