"""The dispatcher (``control/dispatch.py``): decides on each command in ring order and sends it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from weft_hw.isa import COMMAND_BYTES, Opcode, Status, engine_of
from weft_hw.isa import Engine as EngineId

from ..decode import Command
from ..network import CONTROL, tile_node
from ..timing import TIMING

if TYPE_CHECKING:
    from .queue import CommandQueue

__all__ = ["Dispatcher"]

#: control/dispatch.py: depth of the queue of commands whose bytes are being moved.
_MOVES = 2


class _Move:
    """The bytes of a command on their way out; ``moved`` is the cycle of the last, if known."""

    __slots__ = ("moved",)

    def __init__(self) -> None:
        self.moved = -1


class Dispatcher:
    """One command every 2 cycles, or as fast as the packets leave; a fence waits for all before
    it.
    """

    def __init__(self, queue: CommandQueue) -> None:
        self.queue = queue
        self.chip = queue.chip
        self.events = queue.events
        self._flits = self.chip.network.request_header_flits + -(
            -COMMAND_BYTES // self.chip.config.flit_bytes
        )
        self._known = engine_of(self.chip.config)
        self.clear()

    def clear(self) -> None:
        """Counts from index 0 again; credits are swept, an engine a cycle."""
        self._epoch = getattr(self, "_epoch", 0) + 1
        self.last_index = 0
        self._infos: deque[tuple[Command, bool]] = deque()
        self._current: tuple[Command, Status] | None = None
        self._take_from = self._decide_from = 0
        self._moves: deque[_Move] = deque()
        mesh = self.chip.config.mesh
        engines = (mesh.cols - 1).bit_length() + (mesh.rows - 1).bit_length() + 2
        self._ready_at = self.events.now + (1 << engines) + 1
        depth = self.chip.config.tile.command_queue_depth
        self._credits = {
            (tile.number, engine.value): depth for tile in self.chip.tiles for engine in EngineId
        }

    @property
    def empty(self) -> bool:
        """No command waits here."""
        return self._current is None and not self._infos

    def receive(self, command: Command, failed: bool) -> None:
        """A whole command from the fetcher; ``failed``: reading it met an AXI error."""
        self._infos.append((command, failed))
        self._take(self._epoch)

    def _take(self, epoch: int) -> None:
        """Takes the next command into the decision stage."""
        if epoch != self._epoch or self._current is not None or not self._infos:
            return
        if self.events.now < self._take_from:
            self.events.at(self._take_from, self._take, epoch)
            return
        command, failed = self._infos.popleft()
        self._current = (command, self._judge(command, failed))
        self._decide_from = self.events.now + 1
        self.events.after(1, self.decide)

    def _judge(self, command: Command, failed: bool) -> Status:
        if failed:
            return Status.FETCH_BUS
        if command.opcode is Opcode.FENCE:
            return self.queue.records.fault()
        if command.opcode is not Opcode.NOP and command.opcode not in self._known:
            return Status.ILLEGAL_OPCODE
        if self.chip.tile_at(command.tile_x, command.tile_y) is None:
            return Status.ILLEGAL_TILE
        return Status.OK

    def decide(self) -> None:
        """Lets the current command go if it may."""
        if self._current is None or not self.queue.healthy:
            return
        command, status = self._current
        now = self.events.now
        if now < self._decide_from:
            return
        if status is not Status.OK:
            self.events.after(1, self.queue.fail, status, command.index)
            return
        while self._moves and 0 <= self._moves[0].moved < now:
            self._moves.popleft()
        if len(self._moves) >= _MOVES:
            if self._moves[0].moved >= 0:
                self.events.at(self._moves[0].moved + 1, self.decide)
            return
        if command.opcode is Opcode.FENCE:
            if self.queue.in_flight:
                return
            busy_until = self.queue.records.busy_until
            if now <= busy_until:
                self.events.at(busy_until + 1, self.decide)
                return
            self.queue.records.write(command)
            self._moved(self._gone(), now)
            return
        if now < self._ready_at:
            self.events.at(self._ready_at, self.decide)
            return
        tile = self.chip.tile_at(command.tile_x, command.tile_y)
        assert tile is not None
        assert command.engine is not None
        key = tile.number, command.engine.value
        if self.queue.in_flight >= self.chip.config.host.max_in_flight or not self._credits[key]:
            return
        self._credits[key] -= 1
        self.last_index = command.index
        self.queue.sent()
        front, network, events = tile.fronts[command.engine], self.chip.network, self.events
        move = self._gone()
        network.outbox("request", CONTROL).post(
            now + TIMING.dispatch_header,
            network.route("request", CONTROL, tile_node(tile.x, tile.y)),
            self._flits,
            lambda head: events.at(head + self._flits - 1, front.push, command),
            lambda cycle: self._moved(move, cycle),
        )

    def _gone(self) -> _Move:
        """The current command leaves; its bytes follow."""
        move = _Move()
        self._moves.append(move)
        self._current = None
        self._take_from = self.events.now + 1
        self._take(self._epoch)
        return move

    def _moved(self, move: _Move, cycle: int) -> None:
        """The bytes of a command have left the fetch buffer in ``cycle``."""
        move.moved = cycle
        self.events.at(cycle, self.queue.fetch.free, self.queue.fetch.chunks)
        self.events.at(cycle + 1, self.decide)

    def ended(self, tile_number: int, engine: EngineId) -> None:
        """A command of that engine has ended."""
        self._credits[tile_number, engine.value] += 1
        self.events.after(1, self.decide)
