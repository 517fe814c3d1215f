"""Ends of commands (``tile/completions.py``): one a cycle, round robin, to semaphores and
control.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.isa import Engine as EngineId
from weft_hw.isa import Status

from .decode import Command
from .network import CONTROL, tile_node
from .timing import TIMING

if TYPE_CHECKING:
    from .engines.frontend import FrontEnd
    from .tile import Tile

__all__ = ["Completions"]

_End = tuple[Command, Status, int]


class Completions:
    """Collects the ends that the front ends offer. The first error since ``clear`` is ``fault``."""

    def __init__(self, tile: Tile) -> None:
        self.tile = tile
        self.fault: tuple[int, int] = (0, 0)
        self._offers: dict[EngineId, list[_End]] = {engine: [] for engine in EngineId}
        self._fronts: dict[EngineId, FrontEnd] = {}
        self._last = 0
        self._taken_at = -1
        self._flits = tile.chip.network.response_header_flits
        node = tile_node(tile.x, tile.y)
        self._way = tile.chip.network.route("response", node, CONTROL)
        self._outbox = tile.chip.network.outbox("response", node)

    def clear(self) -> None:
        self.fault = (0, 0)

    def holds(self, command: Command) -> bool:
        """Whether the command's end is offered already."""
        return any(end[0] is command for ends in self._offers.values() for end in ends)

    def offer(self, front: FrontEnd, command: Command, status: Status, address: int) -> None:
        """A front end has an end to give from this cycle on."""
        self._fronts[front.id] = front
        self._offers[front.id].append((command, status, address))
        self.tile.events.late(self.tile.events.now, self._take)

    def _take(self) -> None:
        now = self.tile.events.now
        waiting = [engine for engine, offers in self._offers.items() if offers]
        if not waiting:
            return
        if now == self._taken_at:
            self.tile.events.late(now + 1, self._take)
            return
        self._taken_at = now
        # round robin, the one served last comes last
        engine = min(waiting, key=lambda engine: (engine.value - self._last - 1) % len(EngineId))
        self._last = engine.value
        command, status, address = self._offers[engine].pop(0)
        if status is Status.OK and not self.tile.semaphores.signal(command.signal):
            status = Status.SEMAPHORE_OVERFLOW
        if status not in (Status.OK, Status.ABORTED) and not self.fault[1]:
            self.fault = (address, status.value)
        self._send(engine, command, status)
        self._fronts[engine].ended(command)

    def _send(self, engine: EngineId, command: Command, status: Status) -> None:
        events, tile = self.tile.events, self.tile
        sunk = self._flits - 1 + TIMING.completion_sink
        ended = tile.chip.queue.ended
        self._outbox.post(
            events.now + TIMING.completion_packet,
            self._way,
            self._flits,
            lambda head: events.at(head + sunk, ended, tile, engine, command.index, status),
        )
