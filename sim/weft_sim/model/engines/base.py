"""What all engines share: commands in, one end for each, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.isa import Status

from ..decode import Command

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["Engine"]


class Engine:
    """An engine: takes a command when ``ready``, says ``front.done`` in the cycle of its end.

    What a command does to memories it does at its end: a program that joins its engines by
    semaphores cannot tell.
    """

    def __init__(self, tile: Tile, front: FrontEnd) -> None:
        self.tile = tile
        self.front = front
        self.events = tile.events

    def ready(self) -> bool:
        """Whether the engine takes another command now."""
        raise NotImplementedError

    def start(self, command: Command) -> None:
        """Takes a command in this cycle."""
        raise NotImplementedError

    def execute(self, command: Command) -> None:
        """What the command does to the memories."""
        raise NotImplementedError

    def left(self, command: Command) -> None:
        """A command's end has been taken."""

    def abort(self) -> None:
        """Brings every command inside to an end."""
        raise NotImplementedError

    def _end(self, command: Command, status: Status, address: int = 0) -> None:
        if status is Status.OK:
            self.execute(command)
        self.front.done(command, status, address)
