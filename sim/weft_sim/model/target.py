"""``ModelTarget``: the model of a whole chip as a device under the driver."""

from __future__ import annotations

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import COMMAND_BYTES

from ..dram import Dram
from ..target import TRACE_DTYPE
from .control import CommandQueue, RegisterFile
from .events import Events
from .memory import DeviceMemory, Windows
from .tile import Tile
from .timing import TIMING

__all__ = ["ModelTarget"]

_COUNTS = (
    "bytes_read",
    "bytes_written",
    "beats_read",
    "beats_written",
    "last_write_response_cycle",
    "host_bytes_read",
    "host_bytes_written",
)


class ModelTarget:
    """A chip of ``config`` with ``dram`` behind its ports (see ``weft_sim.target.Target``).

    Raises
    ------
    TypeError
        if either is of another kind.
    """

    def __init__(self, config: ChipConfig, dram: Dram | None = None) -> None:
        if not isinstance(config, ChipConfig):
            raise TypeError(f"config must be a ChipConfig, not {config!r}")
        dram = Dram() if dram is None else dram
        if not isinstance(dram, Dram):
            raise TypeError(f"dram must be a Dram, not {dram!r}")
        self.config = config
        self.dram = dram
        self.device_memory = DeviceMemory(dram)
        self._tracing = False
        self._trace: list[tuple[int, int, int, int, int]] = []
        self._build()

    def _build(self) -> None:
        config = self.config
        self.events = Events()
        self.windows = Windows(config.host.windows, config.host.address_bits)
        self.counts = dict.fromkeys(_COUNTS, 0)
        self.tiles = [
            Tile(self, x, y) for y in range(config.mesh.rows) for x in range(config.mesh.cols)
        ]
        self.registers = RegisterFile(self)
        self.queue = CommandQueue(self)
        for tile in self.tiles:
            tile.on_complete = self.queue.on_complete
        self._stop = lambda: self.registers.interrupt

    # --- Target -------------------------------------------------------------------------------

    @property
    def memory(self) -> np.ndarray:
        """(size_bytes,) uint8: device memory, shared without a copy."""
        return self.device_memory.data

    @property
    def cycle(self) -> int:
        """Cycles since reset."""
        return self.events.now

    def read_register(self, offset: int) -> int:
        """A 32-bit register read; unmapped offsets give zero."""
        start = self.cycle
        self.events.run(start + TIMING.register_read_sample)
        value = self.registers.read(offset)
        self.events.run(start + TIMING.register_read_total)
        return value

    def write_register(self, offset: int, value: int) -> None:
        """A 32-bit register write; read-only and unmapped offsets ignore it."""
        start = self.cycle
        self.events.run(start + TIMING.register_write_apply)
        self.registers.write(offset, value & 0xFFFF_FFFF)
        self.events.run(start + TIMING.register_write_total)

    def run(self, max_cycles: int) -> bool:
        """Runs until the interrupt line is high or ``max_cycles`` have passed; says whether it is."""
        if not self.registers.interrupt:
            self.events.run(self.cycle + max_cycles, self._stop)
        return self.registers.interrupt

    def set_tracing(self, enabled: bool) -> None:
        """Records engine events from now on, or stops."""
        self._tracing = enabled

    def trace(self) -> np.ndarray:
        """Engine events recorded, (n,) TRACE_DTYPE, sorted by cycle."""
        events = np.array(self._trace, TRACE_DTYPE)
        return events[np.argsort(events["cycle"], kind="stable")]

    def statistics(self) -> dict[str, int]:
        """Counts since reset, see ``Target.statistics``."""
        return dict(self.counts)

    def reset(self) -> None:
        """Chip reset. Memory keeps its bytes."""
        self._trace.clear()
        self._build()

    def close(self) -> None:
        """Nothing to free."""

    # --- what the parts of the chip need of each other ------------------------------------------

    def tile_at(self, x: int, y: int) -> Tile | None:
        """The tile at ``(x, y)``; None outside the mesh."""
        mesh = self.config.mesh
        if x >= mesh.cols or y >= mesh.rows:
            return None
        return self.tiles[y * mesh.cols + x]

    def record_event(self, tile: int, engine: int, kind: int, index: int) -> None:
        if self._tracing:
            self._trace.append((self.events.now, tile, engine, kind, index))

    @property
    def command_flits(self) -> int:
        """Flits of a command packet."""
        return 1 + COMMAND_BYTES // self.config.flit_bytes

    def control_cycles(self, tile: Tile, payload_bytes: int) -> int:
        """Cycles of a packet from the control node to a tile."""
        flits = 1 + payload_bytes // self.config.flit_bytes
        return (tile.x + tile.y + 2) * TIMING.hop_cycles + flits

    def completion_cycles(self, tile: Tile) -> int:
        """Cycles of a completion from a tile to the control node."""
        return (tile.x + tile.y + 2) * TIMING.hop_cycles + 1

    def host_read(self, address: int, length: int) -> int:
        """The cycle in which a read over the host port, issued now, has delivered its last beat."""
        self.counts["host_bytes_read"] += length
        beats = -(-length // self.config.flit_bytes)
        return self.events.now + self.dram.latency_cycles + beats

    def host_write(self, address: int, length: int) -> int:
        """The cycle in which a write over the host port, issued now, is answered."""
        self.counts["host_bytes_written"] += length
        beats = -(-length // self.config.flit_bytes)
        return self.events.now + self.dram.latency_cycles + beats
