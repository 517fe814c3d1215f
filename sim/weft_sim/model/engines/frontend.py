"""Front end of an engine (``tile/frontend.py``): queue, the wait for semaphores, the hand-over."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from weft_hw.isa import COMMAND_BYTES, Opcode, Status
from weft_hw.isa import Engine as EngineId
from weft_hw.tile.frontend import EngineState

from ..decode import Command
from ..timing import TIMING

if TYPE_CHECKING:
    from ..tile import Tile
    from .base import Engine

__all__ = ["FrontEnd"]

_ASSEMBLE, _ACQUIRE, _OFFER, _ANSWER = range(4)


class FrontEnd:
    """Assembles a command, takes its semaphores, hands it over; meanwhile the engine may be busy.

    NOP ends here, after everything handed over before it. Under abort commands are answered
    ABORTED.
    """

    def __init__(self, tile: Tile, engine: EngineId) -> None:
        self.tile = tile
        self.events = tile.events
        self.id = engine
        self.engine: Engine | None = None
        self.queue: deque[tuple[Command, int]] = deque()
        self.inside: list[Command] = []
        self.command: Command | None = None
        self.stage = _ASSEMBLE
        self._words = COMMAND_BYTES // tile.config.flit_bytes
        self._last_index = 0
        self._assemble_from = 0
        self._offer_from = 0
        self._busy_cycles = 0
        self._busy_from: int | None = None
        self._wait_cycles = 0
        self._wait_from: int | None = None

    # --- commands in --------------------------------------------------------------------------

    def push(self, command: Command) -> None:
        """The last word of a command has arrived."""
        self.queue.append((command, self.events.now))
        self._assemble()

    def _assemble(self) -> None:
        if self.command is not None or not self.queue:
            return
        self.command, arrived = self.queue.popleft()
        words = self._assemble_from + self._words + 1
        self.events.at(max(arrived + TIMING.assemble_last, words), self._acquire, self.command)

    def _acquire(self, command: Command) -> None:
        self.stage = _ACQUIRE
        self._last_index = command.index
        self._wait_from = self.events.now
        if self.tile.aborting:
            self._stop_waiting()
            self.events.after(1, self._answer)
            return
        self.tile.semaphores.look(self.events.now)

    def wanted_mask(self) -> int | None:
        """What ``Semaphores`` is asked for."""
        if self.stage != _ACQUIRE or self.command is None or self.tile.aborting:
            return None
        return self.command.wait

    def granted(self) -> None:
        """The semaphores are ours; the command is offered in the next cycle."""
        assert self.command is not None
        self._stop_waiting()
        nop = self.command.opcode is Opcode.NOP
        self.stage = _ANSWER if nop else _OFFER
        self._offer_from = self.events.now + 1
        self.events.after(1, self._answer if nop else self.offer)

    def _stop_waiting(self) -> None:
        if self._wait_from is not None:
            self._wait_cycles += self.events.now - self._wait_from + 1
            self._wait_from = None
        if self._busy_from is None:
            self._busy_from = self.events.now + 1

    def offer(self) -> None:
        """Hands the command over if the engine is ready; the engine calls again when it may be."""
        assert self.engine is not None
        if self.stage != _OFFER or self.tile.aborting or not self.engine.ready():
            return
        if self.events.now < self._offer_from:
            return
        command = self.command
        if command is None or self._wait_from is not None:
            return
        self.inside.append(command)
        self.tile.record_event(self.id, 0, command.index)
        self._next()
        self.engine.start(command)

    def _next(self) -> None:
        self.command = None
        self.stage = _ASSEMBLE
        self._assemble_from = self.events.now + 1
        self._assemble()

    # --- commands out -------------------------------------------------------------------------

    def done(self, command: Command, status: Status, address: int = 0) -> None:
        """The engine offers the end of its oldest command."""
        self.tile.completions.offer(self, command, status, address)

    def ended(self, command: Command) -> None:
        """That end has been taken in this cycle."""
        if command is self.command:
            self.tile.record_event(self.id, 0, command.index)
            self._next()
        else:
            self.inside.remove(command)
            assert self.engine is not None
            self.engine.left(command)
        self.tile.record_event(self.id, 1, command.index)
        if not self.inside and self.stage in (_ASSEMBLE, _ACQUIRE) and self._busy_from is not None:
            self._busy_cycles += self.events.now + 1 - self._busy_from
            self._busy_from = None
        if self.stage == _ANSWER and not self.inside:
            self.events.after(1, self._answer)

    def _answer(self) -> None:
        """Answers the command itself once everything handed over before has ended."""
        self.stage = _ANSWER
        if self.command is None or self.inside or self.tile.completions.holds(self.command):
            return
        status = Status.ABORTED if self.tile.aborting else Status.OK
        self.tile.completions.offer(self, self.command, status, 0)

    def abort(self) -> None:
        """What waits is answered by ourselves."""
        if self.stage in (_ACQUIRE, _OFFER) and self.command is not None:
            self._stop_waiting()
            self.events.after(1, self._answer)

    # --- what a probe sees --------------------------------------------------------------------

    def snapshot(self) -> tuple[int, int, int]:
        """(state, unmet wait mask, command index)."""
        waiting = self.stage == _ACQUIRE
        unmet = 0
        if waiting and self.command is not None:
            unmet = self.tile.semaphores.unmet(self.command.wait)
        if self.inside or self.stage in (_OFFER, _ANSWER):
            state = EngineState.RUNNING
        else:
            state = EngineState.WAITING if waiting else EngineState.IDLE
        return state.value, unmet, self._last_index

    def busy_cycles(self) -> int:
        """Cycles in state RUNNING up to now."""
        since = self._busy_from
        return self._busy_cycles + (0 if since is None else max(0, self.events.now - since))

    def wait_cycles(self) -> int:
        """Cycles in which a command waited for semaphores, up to now."""
        since = self._wait_from
        return self._wait_cycles + (0 if since is None else self.events.now - since)
