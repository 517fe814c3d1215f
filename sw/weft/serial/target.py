"""``SerialTarget``: a board on a serial line as a device under the driver."""

from __future__ import annotations

from collections.abc import Iterator

from weft_hw.boards.axi_ram import FIRST_BEAT_CYCLES
from weft_hw.config import ChipConfig
from weft_hw.control.registers import WINDOW_PAGE_BYTES, WINDOW_WRITE
from weft_hw.presets import preset
from weft_sim.dram import Dram

from ..hardware_target import HardwareTarget
from ..registers import discover
from ..ring import RECORD_BYTES
from .link import Link
from .memory import SyncedMemory
from .port import Port

__all__ = ["DEFAULT_BAUD", "SerialTarget"]

DEFAULT_BAUD = 1_000_000
#: The longest wait in one request: far below a try's time, so that silence means a fault.
_WAIT_S = 0.05
_IDLE = 8


class SerialTarget(HardwareTarget):
    """A board with ``weft_hw.boards.prototype`` on it; ``weft_sim.target.Target`` says what each
    method means.

    Opening resets the board's chip and clears its memory. ``memory`` is a ``SyncedMemory``: views
    of it are brought up to date when they are taken, and what is written to them goes out before
    the next register write.

    Parameters
    ----------
    path : str
        Of the terminal: a USB adapter (``/dev/ttyUSB0``) or a pseudo-terminal.
    config : ChipConfig or None
        What the board was built from; None asks the board.
    baud : int
        Speed of the line, as the bitstream has it.
    timeout_s : float
        How long to wait for an answer, four times over, before giving up.

    Raises
    ------
    ValueError, OSError
        for a path that is no terminal, or a speed that the system does not know.
    SerialError
        here and later, if the board does not answer as it should.
    """

    _KIND = "a board"

    def __init__(
        self,
        path: str,
        config: ChipConfig | None = None,
        *,
        baud: int = DEFAULT_BAUD,
        timeout_s: float = 2.0,
    ) -> None:
        self._link = Link(Port(path, baud), timeout_s)
        try:
            # identity and capabilities are in the same place in every configuration
            self._use(preset("nano") if config is None else config)
            self._link.reset()
            self._running = False
            if config is None:
                self._use(discover(self))
            self._written: dict[int, int] = {}
            size_bytes = self._link.info.memory_bytes
            self.dram = Dram(size_bytes=size_bytes, latency_cycles=FIRST_BEAT_CYCLES)
            self.memory = SyncedMemory(self._link, size_bytes, self._settled)
        except BaseException:
            self._link.close()
            raise

    @property
    def link(self) -> Link:
        """The line, for its ``info`` and ``retries``."""
        return self._link

    def _read(self, offset: int) -> int:
        return self._link.read_register(offset)

    def _write(self, offset: int, value: int) -> None:
        self.memory.flush()
        self._written[offset] = value
        if offset == self._offsets["TAIL"]:
            # before the doorbell, so that nothing is taken for settled if the reply is lost
            self._running = True
            self.memory.expect_writes(self._writable())
        self._link.write_register(offset, value)

    def _run(self, max_cycles: int) -> bool:
        left = max_cycles
        slice_cycles = max(1, int(_WAIT_S * self._link.info.clock_hz))
        while True:
            interrupted = self._link.wait(min(left, slice_cycles))
            left -= slice_cycles
            if interrupted or left <= 0:
                return interrupted

    def reset(self) -> None:
        self.memory.flush()
        self._link.reset()
        self._written.clear()
        self._running = False

    def close(self) -> None:
        self._link.close()

    def _settled(self) -> bool:
        if self._running:
            self._running = not self.read_register(self._offsets["STATUS"]) & _IDLE
        return not self._running

    def _writable(self) -> Iterator[tuple[int, int]]:
        """Byte ranges that the chip may write: granted windows, completion records."""
        size = len(self.memory)

        def written(name: str) -> int:
            return self._written.get(self._offsets[name], 0)

        for window in range(self.config.host.windows):
            if written(f"WINDOW_{window}_ACCESS") & WINDOW_WRITE:
                first, beyond = (
                    written(f"WINDOW_{window}_{end}") * WINDOW_PAGE_BYTES
                    for end in ("BASE", "LIMIT")
                )
                yield min(first, size), min(beyond, size)
        base = written("COMPLETION_BASE_HI") << 32 | written("COMPLETION_BASE_LO")
        beyond = base + (RECORD_BYTES << written("COMPLETION_LOG2"))
        yield min(base, size), min(beyond, size)
