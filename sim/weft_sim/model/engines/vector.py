"""The vector engine (``vector/engine.py``): requantiser and microprogrammed processor in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.isa import Opcode

from ..decode import Command
from .base import Engine
from .processor import Processor
from .requantiser import Requantiser
from .traffic import ArrayTraffic

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["VectorEngine"]


class VectorEngine(Engine):
    """A command for one unit waits until the other is empty."""

    def __init__(self, tile: Tile, front: FrontEnd, traffic: ArrayTraffic) -> None:
        super().__init__(tile, front)
        self.requantiser = Requantiser(tile, front, traffic)
        self.processor = Processor(tile, front, traffic)
        self._reads = traffic.vector

    @property
    def conflicts(self) -> int:
        """Cycles in which a scratchpad read waited for the array."""
        return self.requantiser.pipeline.conflicts + self.processor.conflicts

    def _unit(self, command: Command) -> Engine:
        processes = command.opcode in (Opcode.RUN, Opcode.PROGRAM)
        return self.processor if processes else self.requantiser

    def ready(self) -> bool:
        command = self.front.command
        if command is None:
            return False
        unit = self._unit(command)
        return unit.ready() and all(self._unit(other) is unit for other in self.front.inside)

    def start(self, command: Command) -> None:
        self._unit(command).start(command)

    def left(self, command: Command) -> None:
        self._unit(command).left(command)
        if not self.front.inside:
            self._reads.end()
        if self.front.command is not None:
            unit = self._unit(self.front.command)
            if self._unit(command) is not unit:
                self.events.after(1, self.front.offer)

    def abort(self) -> None:
        self.requantiser.abort()
        self.processor.abort()
