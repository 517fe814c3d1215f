"""What all engines share: commands in, one end for each, in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from weft_hw.isa import Status

from ..decode import Command

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["Engine", "PlannedEngine", "Running"]


class Engine(ABC):
    """An engine: takes a command when ``ready``, says ``front.done`` in the cycle of its end.

    What a command does to memories it does at its end: a program that joins its engines by
    semaphores cannot tell.
    """

    def __init__(self, tile: Tile, front: FrontEnd) -> None:
        self.tile = tile
        self.front = front
        self.events = tile.events

    @abstractmethod
    def ready(self) -> bool:
        """Whether the engine takes another command now."""

    @abstractmethod
    def start(self, command: Command) -> None:
        """Takes a command in this cycle."""

    @abstractmethod
    def left(self, command: Command) -> None:
        """A command's end has been taken."""

    @abstractmethod
    def abort(self) -> None:
        """Brings every command inside to an end."""


class Running(NamedTuple):
    """A command inside: how it ends, and when; ``steps_before``: what was planned before it."""

    command: Command
    status: Status
    address: int
    done: int
    steps_before: int


class PlannedEngine(Engine):
    """An engine that knows the end of a command as soon as it is planned; ends come in order."""

    def __init__(self, tile: Tile, front: FrontEnd) -> None:
        super().__init__(tile, front)
        self._running: deque[Running] = deque()
        self._epoch = 0

    def left(self, command: Command) -> None:
        """Nothing waits for that."""

    @abstractmethod
    def execute(self, command: Command) -> None:
        """What the command does to the memories."""

    @abstractmethod
    def _finished(self, command: Command, status: Status) -> None:
        """A command ends in this cycle."""

    def _enqueue(
        self, command: Command, status: Status, address: int, done: int, steps_before: int = 0
    ) -> None:
        """A command ends in cycle ``done``, after those before it."""
        self._running.append(Running(command, status, address, done, steps_before))
        self.events.at(done, self._finish, self._epoch)

    def _finish(self, epoch: int) -> None:
        if epoch != self._epoch or not self._running:
            return
        if self._running[0].done > self.events.now:
            # it has been put off
            self.events.at(self._running[0].done, self._finish, epoch)
            return
        command, status, address, _, _ = self._running.popleft()
        if status is Status.OK:
            self.execute(command)
        self.front.done(command, status, address)
        self._finished(command, status)
        self.events.after(1, self.front.offer)

    def _put_off(self, ends: Sequence[int]) -> None:
        """The youngest commands inside end in other cycles than planned: in ``ends``."""
        for back in range(1, min(len(ends), len(self._running)) + 1):
            entry, done = self._running[-back], ends[-back]
            if entry.done > done:
                self.events.at(done, self._finish, self._epoch)
            self._running[-back] = entry._replace(done=done)

    def _replan(self) -> list[Running]:
        """Forgets when the commands inside end; they are to be enqueued again."""
        self._epoch += 1
        running, self._running = list(self._running), deque()
        return running
