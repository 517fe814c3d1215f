"""A bare model under a test's own commands: no driver in between."""

from __future__ import annotations

from typing import Any

import numpy as np
from weft.commands import pack
from weft_hw.config import ChipConfig
from weft_hw.control.registers import PROBE_WORDS, QueueState, register_map
from weft_hw.isa import Engine, Opcode
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.model import ModelTarget

__all__ = ["ModelRig"]

RING, RECORDS = 0x8_0000, 0xF_0000
MEMORY_BYTES = 1 << 20


class ModelRig:
    """A model with its queue set up; ``run`` appends commands and a fence, and waits for it."""

    def __init__(
        self, config: ChipConfig | str = "nano", *, ring_log2: int = 6, **dram: Any
    ) -> None:
        self.config = preset(config) if isinstance(config, str) else config
        self.dram = Dram(size_bytes=MEMORY_BYTES, **dram)
        self.target = ModelTarget(self.config, self.dram)
        self.memory = self.target.memory
        self.ring_log2 = ring_log2
        self._offsets = {r.name: r.offset for r in register_map(self.config)}
        self.tail = 0
        self.sequence = 0
        self.set_up()

    def set_up(self) -> None:
        """What a driver writes before the first command, and after a queue reset."""
        for name, value in (
            ("QUEUE_BASE_LO", RING),
            ("QUEUE_LOG2", self.ring_log2),
            ("COMPLETION_BASE_LO", RECORDS),
            ("COMPLETION_LOG2", 2),
            ("INTERRUPT_ENABLE", 3),
            ("WATCHDOG", 200_000),
            ("WINDOW_0_BASE", 0),
            ("WINDOW_0_LIMIT", MEMORY_BYTES >> 12),
            ("WINDOW_0_ACCESS", 3),
            ("CONTROL", 1),
        ):
            self.write(name, value)
        self.target.set_tracing(True)
        self.tail = 0

    def write(self, name: str, value: int) -> None:
        self.target.write_register(self._offsets[name], value)

    def read(self, name: str) -> int:
        return self.target.read_register(self._offsets[name])

    @property
    def state(self) -> QueueState:
        return QueueState(self.read("STATUS") & 7)

    def submit(self, *commands: bytes) -> None:
        """Commands into the ring, then the doorbell."""
        for command in commands:
            slot = RING + 64 * (self.tail % (1 << self.ring_log2))
            self.memory[slot : slot + 64] = np.frombuffer(command, np.uint8)
            self.tail += 1
        self.write("TAIL", self.tail)

    def run(self, *commands: bytes, max_cycles: int = 1_000_000) -> int:
        """Commands and a fence; cycles from the doorbell to the interrupt, which is cleared."""
        self.sequence += 1
        self.submit(*commands, pack(Opcode.FENCE, sequence=self.sequence, interrupt=1))
        begun = self.read("DOORBELL_CYCLE_LO")
        assert self.target.run(max_cycles), "no interrupt"
        cycles = self.target.cycle - begun
        assert self.read("ERROR_STATUS") == 0
        assert self.read("SEQUENCE") == self.sequence
        self.write("INTERRUPT_STATUS", 3)
        return cycles

    def fail(self, *commands: bytes, max_cycles: int = 1_000_000) -> dict[str, int]:
        """Commands that stop the queue; the error registers once it is halted."""
        self.submit(*commands)
        assert self.target.run(max_cycles), "no interrupt"
        assert self.read("INTERRUPT_STATUS") == 2
        for _ in range(1000):
            if self.state is QueueState.HALTED:
                break
            self.target.run(1)
        assert self.state is QueueState.HALTED
        return {name: self.read(f"ERROR_{name}") for name in ("STATUS", "INDEX", "SOURCE")}

    def reset_queue(self) -> None:
        """A queue reset, and the registers again."""
        self.write("RESET", 1)
        for _ in range(100_000):
            if self.state is QueueState.DISABLED:
                break
        assert self.state is QueueState.DISABLED
        self.write("INTERRUPT_STATUS", 3)
        self.set_up()

    def page(self, number: int, x: int = 0, y: int = 0) -> list[int]:
        """The 32-bit words of a page of a tile."""
        self.write("PROBE", x | y << 4 | number << 8)
        for _ in range(100):
            if self.read("PROBE_VALID"):
                return [self.read(f"PROBE_DATA_{i}") for i in range(PROBE_WORDS)]
        raise AssertionError("the probe was not answered")

    def counter(self, page: int, number: int) -> int:
        """A 64-bit counter."""
        words = self.page(page)
        return words[2 * number] | words[2 * number + 1] << 32

    def events(self, engine: Engine, index: int) -> tuple[int, int]:
        """(begin, end) cycles of a command on an engine."""
        trace = self.target.trace()
        mine = trace[(trace["engine"] == engine.value) & (trace["index"] == index)]
        begin, end = (mine[mine["kind"] == kind]["cycle"] for kind in (0, 1))
        return int(begin[-1]), int(end[-1])

    # --- shorthand ----------------------------------------------------------------------------

    def put(self, address: int, array: np.ndarray) -> None:
        raw = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        self.memory[address : address + raw.size] = raw

    def get(self, address: int, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return self.memory[address : address + size].view(dtype).reshape(shape).copy()

    @property
    def tile(self) -> Any:
        """The model's first tile."""
        return self.target.tiles[0]
