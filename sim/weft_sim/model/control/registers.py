"""What the host reads and writes: the register map of ``weft_hw.control.registers``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from weft_hw.control.registers import Access, register_map

from .probe import Probe

if TYPE_CHECKING:
    from ..target import ModelTarget

__all__ = ["RegisterFile"]

_MASK = (1 << 32) - 1
#: Registers that a queue reset clears.
_CLEARED = ("CONTROL", "TAIL")


class RegisterFile:
    """Values by name, with what reading and writing does.

    Raises
    ------
    ValueError
        from ``read`` and ``write`` at an offset without a register.
    """

    def __init__(self, chip: ModelTarget) -> None:
        self.chip = chip
        self.map = {register.offset: register for register in register_map(chip.config)}
        self.values = {register.name: register.reset for register in self.map.values()}
        self.probe = Probe(chip)
        self.interrupt_status = 0
        self.doorbell_cycle = 0
        self._latched = {"CYCLE": 0, "DOORBELL_CYCLE": 0}
        self._writers: dict[str, Callable[[int], None]] = {
            "RESET": self._write_reset,
            "CONTROL": lambda _: self.chip.queue.changed(),
            "TAIL": self._write_tail,
            "INTERRUPT_STATUS": self._write_interrupt_status,
            "PROBE": self.probe.start,
        }
        self._readers: dict[str, Callable[[], int]] = {
            "STATUS": lambda: self.chip.queue.state.value | self.chip.queue.idle << 3,
            "HEAD": lambda: self.chip.queue.fetch.head,
            "SEQUENCE": lambda: self.chip.queue.records.sequence,
            "ERROR_STATUS": lambda: self.chip.queue.error[0],
            "ERROR_INDEX": lambda: self.chip.queue.error[1],
            "ERROR_SOURCE": lambda: self.chip.queue.error[2],
            "INTERRUPT_STATUS": lambda: self.interrupt_status,
            "IN_FLIGHT": lambda: self.chip.queue.in_flight,
            "COMPLETED": lambda: self.chip.queue.completed,
            "PROBE_VALID": lambda: int(self.probe.valid),
        }

    def pair(self, name: str) -> int:
        """The 64-bit value of ``<name>_LO`` and ``<name>_HI``."""
        return self.values[f"{name}_LO"] | self.values[f"{name}_HI"] << 32

    @property
    def interrupt(self) -> bool:
        """The level of the interrupt line."""
        return bool(self.interrupt_status & self.values["INTERRUPT_ENABLE"])

    def raise_interrupt(self, bits: int) -> None:
        """An interrupt's cause has come; the line may rise."""
        self.interrupt_status |= bits
        self.chip.events.halt = self.interrupt

    def clear(self) -> None:
        """A queue reset."""
        for name in _CLEARED:
            self.values[name] = 0

    # --- host side ----------------------------------------------------------------------------

    def _register(self, offset: int) -> str:
        register = self.map.get(offset)
        if register is None:
            raise ValueError(f"register offset must be one of the register map, not {offset:#x}")
        return register.name

    def read(self, offset: int) -> int:
        name = self._register(offset)
        if name in self._readers:
            return self._readers[name]() & _MASK
        if name.startswith("PROBE_DATA_"):
            return self.probe.words[int(name.removeprefix("PROBE_DATA_"))]
        pair, _, half = name.rpartition("_")
        if pair in self._latched:
            value = self.chip.events.now if pair == "CYCLE" else self.doorbell_cycle
            if half == "LO":
                self._latched[pair] = value >> 32
                return value & _MASK
            return self._latched[pair]
        return self.values[name]

    def write(self, offset: int, value: int) -> None:
        name = self._register(offset)
        register = self.map[offset]
        if register.access is Access.READ_WRITE:
            self.values[name] = value
        if name in self._writers:
            self._writers[name](value)
        elif name.startswith("WINDOW_"):
            _, number, field = name.split("_")
            column = ("BASE", "LIMIT", "ACCESS").index(field)
            self.chip.windows.rows[int(number)][column] = value

    # --- effects ------------------------------------------------------------------------------

    def _write_reset(self, value: int) -> None:
        if value & 1:
            self.chip.queue.reset()

    def _write_tail(self, value: int) -> None:
        self.doorbell_cycle = self.chip.events.now
        self.chip.queue.changed()

    def _write_interrupt_status(self, value: int) -> None:
        self.interrupt_status &= ~value
