"""``ModelTarget``: the model of a whole chip as a device under the driver."""

from __future__ import annotations

import operator

import numpy as np
from weft_hw.config import ChipConfig

from ..dram import Dram
from ..target import TRACE_DTYPE, check_cycles, check_word, device_bytes
from .control import CommandQueue, RegisterFile
from .endpoint import Endpoint
from .events import Events
from .memory import DeviceMemory, Windows
from .network import Network
from .port import MemoryPort
from .tile import Tile
from .timing import TIMING
from .transfers import Transfers

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

    ``memory``: bytes to use in place of new ones, as of a file that others map too.

    Raises
    ------
    TypeError, ValueError
        for a wrong argument; ValueError also from accesses to registers that are not there.
    """

    def __init__(
        self,
        config: ChipConfig,
        dram: Dram | None = None,
        *,
        memory: np.ndarray | None = None,
    ) -> None:
        if not isinstance(config, ChipConfig):
            raise TypeError(f"config must be a ChipConfig, not {config!r}")
        dram = Dram() if dram is None else dram
        if not isinstance(dram, Dram):
            raise TypeError(f"dram must be a Dram, not {dram!r}")
        self.config = config
        self.dram = dram
        self.device_memory = DeviceMemory(dram, device_bytes(dram, memory))
        self._tracing = False
        self._trace: list[tuple[int, int, int, int, int]] = []
        self._build()

    def _build(self) -> None:
        config = self.config
        # with one tile and no random stalls, transfers are a world of their own
        alone = config.mesh.tiles == 1 and not self.dram.stall_threshold
        self.dma_events = Events()
        self.events = Events(self.dma_events) if alone else self.dma_events
        self.transfers = Transfers(self) if alone else None
        self.windows = Windows(config.host.windows, config.host.address_bits)
        self.counts = dict.fromkeys(_COUNTS, 0)
        self.network = Network(config, self.events)
        endpoints = config.mesh.memory_endpoints
        self.endpoints = [Endpoint(self, number) for number in range(endpoints)]
        self.host_port = MemoryPort(self.events, self.dram, config.flit_bytes, endpoints)
        self.tiles = [
            Tile(self, x, y) for y in range(config.mesh.rows) for x in range(config.mesh.cols)
        ]
        self.registers = RegisterFile(self)
        self.queue = CommandQueue(self)

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
        """A 32-bit register read."""
        start = self.cycle
        value = self.registers.read(operator.index(offset))
        self.events.run(start + TIMING.register_cycles)
        return value

    def write_register(self, offset: int, value: int) -> None:
        """A 32-bit register write; one to a read-only register does nothing."""
        value = check_word(value)
        start = self.cycle
        self.events.run(start + TIMING.register_write_apply)
        self.registers.write(operator.index(offset), value)
        self.events.run(start + TIMING.register_cycles)

    def run(self, max_cycles: int) -> bool:
        """Runs until the interrupt line is high or ``max_cycles`` have passed; says whether it
        is.
        """
        cycles = check_cycles(max_cycles)
        if not self.registers.interrupt:
            self.events.run(self.cycle + cycles, until_halt=True)
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
        """An engine event of this cycle."""
        if self._tracing:
            self._trace.append((self.events.now, tile, engine, kind, index))
