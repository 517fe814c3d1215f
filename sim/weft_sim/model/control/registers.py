"""What the host reads and writes: the register map of ``weft_hw.control.registers`` over the chip."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from weft_hw.control.registers import PROBE_WORDS, Access, register_map

from ..timing import TIMING

if TYPE_CHECKING:
    from ..target import ModelTarget

__all__ = ["RegisterFile"]

_MASK = (1 << 32) - 1
_PAIRS = ("CYCLE", "DOORBELL_CYCLE")


class RegisterFile:
    """Values by name, with what reading and writing does. Unmapped offsets read zero."""

    def __init__(self, chip: ModelTarget) -> None:
        self.chip = chip
        self.map = {register.offset: register for register in register_map(chip.config)}
        self.values = {register.name: register.reset for register in self.map.values()}
        self.interrupt_status = 0
        self.doorbell_cycle = 0
        self._latched = dict.fromkeys(_PAIRS, 0)
        self._probe_serial = 0
        self._writers: dict[str, Callable[[int], None]] = {
            "RESET": self._write_reset,
            "CONTROL": self._write_control,
            "TAIL": self._write_tail,
            "INTERRUPT_STATUS": self._write_interrupt_status,
            "PROBE": self._write_probe,
        }

    def pair(self, name: str) -> int:
        """The 64-bit value of ``<name>_LO`` and ``<name>_HI``."""
        return self.values[f"{name}_LO"] | self.values[f"{name}_HI"] << 32

    @property
    def interrupt(self) -> bool:
        """The level of the interrupt line."""
        return bool(self.interrupt_status & self.values["INTERRUPT_ENABLE"])

    # --- host side ----------------------------------------------------------------------------

    def read(self, offset: int) -> int:
        register = self.map.get(offset)
        if register is None:
            return 0
        name = register.name
        queue = self.chip.queue
        live = {
            "STATUS": lambda: queue.state.value | queue.idle << 3,
            "HEAD": lambda: queue.head,
            "SEQUENCE": lambda: queue.sequence,
            "ERROR_STATUS": lambda: queue.error[0],
            "ERROR_INDEX": lambda: queue.error[1],
            "ERROR_SOURCE": lambda: queue.error[2],
            "INTERRUPT_STATUS": lambda: self.interrupt_status,
            "IN_FLIGHT": lambda: queue.in_flight,
            "COMPLETED": lambda: queue.completed,
        }
        if name in live:
            return live[name]() & _MASK
        for pair, value in (
            ("CYCLE", self.chip.events.now),
            ("DOORBELL_CYCLE", self.doorbell_cycle),
        ):
            if name == f"{pair}_LO":
                self._latched[pair] = value >> 32
                return value & _MASK
            if name == f"{pair}_HI":
                return self._latched[pair]
        return self.values[name]

    def write(self, offset: int, value: int) -> None:
        register = self.map.get(offset)
        if register is None or register.access is Access.READ_ONLY:
            return
        if register.access is Access.READ_WRITE:
            self.values[register.name] = value
        if register.name in self._writers:
            self._writers[register.name](value)
        elif register.name.startswith("WINDOW_"):
            _, number, field = register.name.split("_")
            column = ("BASE", "LIMIT", "ACCESS").index(field)
            self.chip.windows.rows[int(number)][column] = value

    # --- effects ------------------------------------------------------------------------------

    def _write_reset(self, value: int) -> None:
        if value & 1:
            self.chip.queue.reset()

    def _write_control(self, value: int) -> None:
        self.values["CONTROL"] = value & 1
        self.chip.queue.enable(bool(value & 1))

    def _write_tail(self, value: int) -> None:
        self.doorbell_cycle = self.chip.events.now
        self.chip.queue.doorbell()

    def _write_interrupt_status(self, value: int) -> None:
        self.interrupt_status &= ~value

    def _write_probe(self, value: int) -> None:
        self.values["PROBE_VALID"] = 0
        self._probe_serial += 1
        x, y, page = value & 15, value >> 4 & 15, value >> 8 & 255
        tile = self.chip.tile_at(x, y)
        if tile is None:
            self._answer(self._probe_serial, bytes(4 * PROBE_WORDS))
            return
        there = self.chip.control_cycles(tile, 0) + TIMING.probe_cycles
        self.chip.events.after(there, self._sample, self._probe_serial, tile, page)

    def _sample(self, serial: int, tile: object, page: int) -> None:
        raw = tile.page(page)  # type: ignore[attr-defined]
        back = self.chip.completion_cycles(tile) + len(raw) // self.chip.config.flit_bytes
        self.chip.events.after(back, self._answer, serial, raw)

    def _answer(self, serial: int, raw: bytes) -> None:
        if serial != self._probe_serial:
            return
        for i in range(PROBE_WORDS):
            word = int.from_bytes(raw[4 * i : 4 * i + 4], "little")
            self.values[f"PROBE_DATA_{i}"] = word
        self.values["PROBE_VALID"] = 1
