"""``HardwareTarget``: what targets on real chips have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.control.registers import register_map
from weft_sim.dram import Dram
from weft_sim.target import LAST_OFFSET, check_cycles, check_offset, check_word

__all__ = ["HardwareTarget"]


class HardwareTarget(ABC):
    """A chip that only its registers and its memory tell of; ``weft_sim.target.Target`` says what
    each method means. Engine events and port statistics are not recorded.

    A subclass has the memory and how to reach the registers; it calls ``_use`` first.

    Raises
    ------
    ValueError
        from its methods, for a number out of range.
    """

    #: What messages call it, and the last register that can be asked for.
    _KIND: ClassVar[str]
    _LAST_OFFSET: ClassVar[int] = LAST_OFFSET

    config: ChipConfig
    dram: Dram

    def _use(self, config: ChipConfig) -> None:
        """Registers are where they are in ``config`` from now on."""
        self.config = config
        self._offsets = {row.name: row.offset for row in register_map(config)}

    @abstractmethod
    def _read(self, offset: int) -> int:
        """A register."""

    @abstractmethod
    def _write(self, offset: int, value: int) -> None:
        """Writes a register."""

    @abstractmethod
    def _run(self, max_cycles: int) -> bool:
        """Waits for the interrupt, about so long at the most."""

    @abstractmethod
    def reset(self) -> None:
        """Makes the queue as new. Memory keeps its bytes."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the chip."""

    @property
    def cycle(self) -> int:
        low = self.read_register(self._offsets["CYCLE_LO"])
        return self.read_register(self._offsets["CYCLE_HI"]) << 32 | low

    def read_register(self, offset: int) -> int:
        return self._read(check_offset(offset, self._LAST_OFFSET))

    def write_register(self, offset: int, value: int) -> None:
        value = check_word(value)
        self._write(check_offset(offset, self._LAST_OFFSET), value)

    def run(self, max_cycles: int) -> bool:
        return self._run(check_cycles(max_cycles))

    def set_tracing(self, enabled: bool) -> None:
        """Raises ``RuntimeError`` if ``enabled``: no engine events are recorded."""
        if enabled:
            raise self._not_recorded("engine events")

    def trace(self) -> np.ndarray:
        """Raises ``RuntimeError``: no engine events are recorded."""
        raise self._not_recorded("engine events")

    def statistics(self) -> dict[str, int]:
        """Raises ``RuntimeError``: none are recorded."""
        raise self._not_recorded("port statistics")

    def _not_recorded(self, what: str) -> RuntimeError:
        return RuntimeError(
            f"{self._KIND} records no {what}; "
            "run the program with target 'model' or 'rtl', which do"
        )
