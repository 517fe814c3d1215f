"""What all engines share: commands in, one end for each, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.isa import Opcode, Status

from ..decode import Command
from ..timing import TIMING

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["Engine"]


class Engine:
    """An engine. Subclasses give ``check``, ``execute`` and ``begin``.

    ``begin`` says at which cycle a command ends; ``execute`` does what it does to the memories, in
    the cycle in which it ends: a program that joins its engines by semaphores cannot tell.
    """

    def __init__(self, tile: Tile, front: FrontEnd) -> None:
        self.tile = tile
        self.front = front
        self.events = tile.events
        self._last_end = 0
        self._epoch = 0
        self._accepts_at = 0

    def ready(self) -> bool:
        """Whether the engine takes another command now."""
        return self.events.now >= self._accepts_at

    def start(self, command: Command) -> None:
        """Takes a command."""
        if command.opcode is Opcode.NOP:
            self.end_at(self.events.now + TIMING.nop_cycles, command, Status.OK)
            return
        status, address = self.check(command)
        if status is not Status.OK:
            self.end_at(self.events.now + TIMING.check_cycles, command, status, address)
            return
        self.begin(command)

    def check(self, command: Command) -> tuple[Status, int]:
        """(status, offending address) before anything is done."""
        raise NotImplementedError

    def begin(self, command: Command) -> None:
        """Runs a command that passed ``check``: ends in ``end_at``."""
        raise NotImplementedError

    def execute(self, command: Command) -> None:
        """What the command does to the memories."""
        raise NotImplementedError

    def accept_at(self, cycle: int) -> None:
        """The engine takes no command before ``cycle``."""
        self._accepts_at = cycle
        self.events.at(cycle, self.front.wake)

    def end_at(self, cycle: int, command: Command, status: Status, address: int = 0) -> None:
        """The command ends at ``cycle``, or right after the one before it."""
        cycle = max(cycle, self._last_end + 1)
        self._last_end = cycle
        self.events.at(cycle, self._end, self._epoch, command, status, address)

    def _end(self, epoch: int, command: Command, status: Status, address: int) -> None:
        if epoch != self._epoch:
            return
        if status is Status.OK and command.opcode is not Opcode.NOP:
            self.execute(command)
        self.front.done(command, status, address)

    def drained_at(self) -> int:
        """Cycle by which everything that cannot be called back has come back."""
        return self.events.now

    def abort(self) -> None:
        """Ends every command in the engine with ABORTED, once nothing of it is under way."""
        if not self.front.inside:
            return
        self._epoch += 1
        cycle = max(self.events.now, self.drained_at()) + TIMING.abort_cycles
        self._last_end = self.events.now
        self._accepts_at = self.events.now
        for command in list(self.front.inside):
            self.end_at(cycle, command, Status.ABORTED)
