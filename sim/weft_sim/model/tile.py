"""A tile: local memories, semaphores, four engines behind their front ends, register space."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from weft_hw.isa import Engine as EngineId
from weft_hw.isa import Status

from .counters import TileCounters
from .decode import Command
from .engines import FrontEnd, LoadEngine, MatmulEngine, StoreEngine, VectorEngine
from .engines.frontend import Semaphores
from .local import local_memories
from .timing import TIMING

if TYPE_CHECKING:
    from .target import ModelTarget

__all__ = ["Tile"]

_ENGINES = {
    EngineId.LOAD: LoadEngine,
    EngineId.MATMUL: MatmulEngine,
    EngineId.VECTOR: VectorEngine,
    EngineId.STORE: StoreEngine,
}
_MASK64 = (1 << 64) - 1


class Tile:
    """One compute tile at ``(x, y)``; ``number`` counts row by row, as the trace does."""

    def __init__(self, chip: ModelTarget, x: int, y: int) -> None:
        self.chip = chip
        self.config = chip.config
        self.dram = chip.dram
        self.events = chip.events
        self.memory = chip.device_memory
        self.windows = chip.windows
        self.statistics = chip.counts
        self.x, self.y = x, y
        self.number = y * chip.config.mesh.cols + x
        self.scratchpad, self.accumulator = local_memories(chip.config)
        self.semaphores = Semaphores(chip.config.tile.semaphores)
        self.counters = TileCounters()
        self.aborting = False
        self.fault: tuple[int, int] = (0, 0)
        self._frozen: bytes | None = None
        self.fronts = {engine: FrontEnd(self, engine) for engine in EngineId}
        for engine, front in self.fronts.items():
            front.engine = _ENGINES[engine](self, front)
        #: where completions go: (tile, engine, command, status)
        self.on_complete: Callable[[Tile, EngineId, Command, Status], None] = lambda *_: None

    def blocks_k(self, k: int) -> int:
        return -(-k // self.config.tile.array_rows)

    def blocks_n(self, n: int) -> int:
        return -(-n // self.config.tile.array_cols)

    # --- what engines report ------------------------------------------------------------------

    def record_event(self, engine: EngineId, kind: int, index: int) -> None:
        self.chip.record_event(self.number, engine.value, kind, index)

    def wake_all(self) -> None:
        """A semaphore has changed."""
        for front in self.fronts.values():
            front.wake()

    def complete(self, engine: EngineId, command: Command, status: Status, address: int) -> None:
        """Sends the completion of a command to the control node."""
        if status not in (Status.OK, Status.ABORTED) and not self.fault[1]:
            self.fault = (address, status.value)
        self.events.after(
            TIMING.egress_latency + self.chip.completion_cycles(self),
            self.on_complete,
            self,
            engine,
            command,
            status,
        )

    # --- abort and reset ----------------------------------------------------------------------

    def abort(self) -> None:
        """Brings every command to an end; the status page keeps what it showed."""
        if self.aborting:
            return
        self._frozen = self.status_page()
        self.aborting = True
        for front in self.fronts.values():
            assert front.engine is not None
            front.engine.abort()
            front.abort_queue()

    def clear(self) -> None:
        """A queue reset: semaphores to zero, ready for new commands."""
        self.aborting = False
        self._frozen = None
        self.fault = (0, 0)
        self.semaphores.clear()
        for front in self.fronts.values():
            front.clear()

    # --- register space -----------------------------------------------------------------------

    def page(self, number: int) -> bytes:
        """The 64 bytes of a page of the register space; pages that are not there read zero."""
        if number == 0:
            return self._frozen or self.status_page()
        if number == 1:
            fronts = self.fronts.values()
            words = [f.busy_now() for f in fronts] + [f.waited_now() for f in fronts]
        elif number == 2:
            words = list(self.counters.words())
        else:
            words = [0] * 8
        return b"".join((word & _MASK64).to_bytes(8, "little") for word in words)

    def status_page(self) -> bytes:
        """Page 0: engine states, wait masks, indices, semaphores, last fault."""
        words = []
        for front in self.fronts.values():
            state, unmet, index = front.snapshot()
            words += [state | unmet << 16, index]
        raw = b"".join(word.to_bytes(4, "little") for word in words)
        raw += bytes(int(value) for value in self.semaphores.values)
        address, status = self.fault
        raw += (address & _MASK64).to_bytes(8, "little") + status.to_bytes(4, "little")
        return raw.ljust(64, b"\0")
