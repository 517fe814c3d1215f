"""A tile: local memories, semaphores, four engines behind their front ends, register space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.isa import Engine as EngineId

from .arbiter import PacketArbiter
from .completions import Completions
from .counters import TileCounters
from .engines import FrontEnd, LoadEngine, LoadWrites, MatmulEngine, StoreEngine, VectorEngine
from .local import local_memories
from .network import tile_node
from .semaphores import Semaphores

if TYPE_CHECKING:
    from .target import ModelTarget

__all__ = ["Tile"]

_PAGE_BYTES = 64
_MASK64 = (1 << 64) - 1


class Tile:
    """One compute tile at ``(x, y)``; ``number`` counts row by row, as the trace does."""

    def __init__(self, chip: ModelTarget, x: int, y: int) -> None:
        self.chip = chip
        self.config = chip.config
        self.events = chip.events
        self.memory = chip.device_memory
        self.windows = chip.windows
        self.x, self.y = x, y
        self.number = y * chip.config.mesh.cols + x
        self.scratchpad, self.accumulator = local_memories(chip.config)
        self.semaphores = Semaphores(chip.events, chip.config.tile.semaphores)
        self.completions = Completions(self)
        self.counters = TileCounters()
        node = tile_node(x, y)
        sender = chip.network.sender("request", node)
        # flits that a router holds: its input buffer and its output register
        self.requests = PacketArbiter(
            chip.dma_events, sender, chip.config.mesh.router_fifo_depth + 1
        )
        self.aborting = False
        self.fronts = {engine: FrontEnd(self, engine) for engine in EngineId}
        self.semaphores.takers = tuple(self.fronts.values())
        fronts = self.fronts
        self.array = MatmulEngine(self, fronts[EngineId.MATMUL])
        traffic = self.array.pipeline.traffic
        self.load_writes: LoadWrites = LoadWrites(
            self.events,
            self.scratchpad,
            banks=lambda: self.load.banks_written,
            tell=lambda: self.load.tell_writes(),
        )
        self.vector = VectorEngine(self, fronts[EngineId.VECTOR], traffic)
        self.store = StoreEngine(self, fronts[EngineId.STORE], traffic)
        if chip.transfers is not None:
            traffic.listeners.append(chip.transfers.array_reads)
            traffic.vector.listeners.append(chip.transfers.others_read)
        self.load: LoadEngine = LoadEngine(self, fronts[EngineId.LOAD], traffic)
        fronts[EngineId.LOAD].engine = self.load
        fronts[EngineId.MATMUL].engine = self.array
        fronts[EngineId.VECTOR].engine = self.vector
        fronts[EngineId.STORE].engine = self.store

    def blocks_k(self, k: int) -> int:
        """Blocks along K."""
        return -(-k // self.config.tile.array_rows)

    def blocks_n(self, n: int) -> int:
        """Blocks along N."""
        return -(-n // self.config.tile.array_cols)

    def record_event(self, engine: EngineId, kind: int, index: int) -> None:
        """A command begins (0) or ends (1) in this cycle."""
        self.chip.record_event(self.number, engine.value, kind, index)

    # --- abort and reset ----------------------------------------------------------------------

    def abort(self) -> None:
        """Brings every command to an end."""
        if self.aborting:
            return
        if self.chip.transfers is not None:
            self.chip.transfers.stop()
        self.aborting = True
        for front in self.fronts.values():
            assert front.engine is not None
            front.engine.abort()
            front.abort()

    def clear(self) -> None:
        """A queue reset: semaphores to zero, ready for new commands."""
        self.aborting = False
        self.semaphores.clear()
        self.completions.clear()

    # --- register space -----------------------------------------------------------------------

    def page(self, number: int) -> bytes:
        """The 64 bytes of a page of the register space; pages that are not there read zero."""
        if number == 0:
            return self._status_page()
        if number == 1:
            fronts = self.fronts.values()
            words = [f.busy_cycles() for f in fronts] + [f.wait_cycles() for f in fronts]
        elif number == 2:
            self.counters.weight_stalls = self.array.pipeline.stalls
            self.counters.scratchpad_conflicts = (
                self.array.pipeline.conflicts + self.vector.conflicts + self.store.reader.conflicts
            )
            words = list(self.counters.words())
        else:
            return bytes(_PAGE_BYTES)
        return b"".join((word & _MASK64).to_bytes(8, "little") for word in words)

    def _status_page(self) -> bytes:
        """Page 0: engine states, wait masks, indices, semaphores, first fault."""
        words = []
        for front in self.fronts.values():
            state, unmet, index = front.snapshot()
            words += [state | unmet << 16, index]
        raw = b"".join(word.to_bytes(4, "little") for word in words)
        raw += bytes(self.semaphores.values)
        address, status = self.completions.fault
        raw += (address & _MASK64).to_bytes(8, "little") + status.to_bytes(4, "little")
        return raw.ljust(_PAGE_BYTES, b"\0")
