"""``UioTarget``: a chip behind memory-mapped windows as a device under the driver."""

from __future__ import annotations

import time

import numpy as np
from weft_hw.boards.zynq import BASE_HI, BASE_LO
from weft_hw.config import ChipConfig
from weft_hw.control.registers import QueueState, register_map
from weft_hw.presets import preset
from weft_sim.dram import Dram

from ..hardware_target import HardwareTarget
from ..registers import discover
from .errors import UioError
from .memory import SharedMemory
from .registers import RegisterWindow

__all__ = ["UioTarget"]

#: Between two looks at the interrupt, so that one that is missed costs no more than this.
_WAIT_S = 0.01
_RESET_S = 5.0
#: STATUS: QueueState, and whether the queue is idle.
_STATE, _IDLE = 7, 8


class UioTarget(HardwareTarget):
    """A chip with ``weft_hw.boards.zynq`` around it; ``weft_sim.target.Target`` says what each
    method means.

    Opening tells the chip where memory lies and resets its queue; memory keeps its bytes.
    ``memory`` is the mapped window itself.

    Parameters
    ----------
    registers : RegisterWindow
        Closed by ``close``.
    memory : SharedMemory
    config : ChipConfig or None
        What the chip was built from; None asks it.

    Raises
    ------
    ValueError
        if the chip is no Weft.
    UioError
        here and later, if it does not answer as it should.
    """

    _KIND = "a memory-mapped chip"
    _LAST_OFFSET = BASE_HI

    def __init__(
        self,
        registers: RegisterWindow,
        memory: SharedMemory,
        config: ChipConfig | None = None,
    ) -> None:
        self._registers = registers
        self._base = memory.base
        self.memory: np.ndarray = memory.bytes
        self.dram = Dram(size_bytes=len(self.memory))
        # identity and capabilities are in the same place in every configuration
        self._use(preset("nano") if config is None else config)
        try:
            found = discover(self)
            if config is None:
                self._use(found)
            self._find_memory(memory)
            self.reset()
        except BaseException:
            self.close()
            raise

    def _find_memory(self, memory: SharedMemory) -> None:
        end, bits = self._base + len(self.memory), self.config.host.address_bits
        if end > 1 << bits:
            raise ValueError(
                f"{memory.path} must end within the chip's {bits} address bits, "
                f"not at {end:#x}; build the chip with more host.address_bits"
            )
        for offset, word in ((BASE_LO, self._base & 0xFFFF_FFFF), (BASE_HI, self._base >> 32)):
            self.write_register(offset, word)
            found = self.read_register(offset)
            if found != word:
                raise UioError(
                    f"{self._registers.path} must keep the memory's address at {offset:#x}, and "
                    f"gives {found:#x} for {word:#x}; build the bitstream with the Verilog of "
                    "weft verilog --wrapper zynq"
                )

    def _read(self, offset: int) -> int:
        return self._registers.read(offset)

    def _write(self, offset: int, value: int) -> None:
        self._registers.write(offset, value)

    def _run(self, max_cycles: int) -> bool:
        start = self.cycle
        while not self._interrupted():
            if self.cycle - start >= max_cycles:
                return False
            self._registers.wait(_WAIT_S)
        return True

    def _interrupted(self) -> bool:
        """Whether the interrupt line is high."""
        pending = self.read_register(self._offsets["INTERRUPT_STATUS"])
        return bool(pending & self.read_register(self._offsets["INTERRUPT_ENABLE"]))

    def reset(self) -> None:
        """Stops and clears the queue. The cycle counter goes on: only the bitstream's reset stops
        it."""
        self.write_register(self._offsets["CONTROL"], 0)
        self.write_register(self._offsets["RESET"], 1)
        deadline = time.monotonic() + _RESET_S
        while True:
            status = self.read_register(self._offsets["STATUS"])
            if status & _STATE == QueueState.DISABLED.value and status & _IDLE:
                break
            if time.monotonic() > deadline:
                raise UioError(
                    f"{self._registers.path} does not end its reset (STATUS {status:#x}); does "
                    "the chip reach its memory? Load the overlay again"
                )
        for row in register_map(self.config):
            # what a reset of the chip would forget
            if row.name == "INTERRUPT_ENABLE" or row.name.endswith("_ACCESS"):
                self.write_register(row.offset, 0)

    def close(self) -> None:
        self._registers.close()
