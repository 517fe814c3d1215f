"""What tiles that share operands send each other: pieces of them, and credits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from weft_hw.config import ChipConfig
from weft_hw.isa import Engine, Opcode

from .fetch import Fetch, Load
from .program import Step
from .regions import Region
from .share import Line
from .task import GemmTask, Infeasible, Part

__all__ = ["Exchange"]

#: Cycles for a credit to come from the next tiles.
_CREDIT_CYCLES = 30


class Exchange:
    """Emits what a tile sends to those it shares operands with.

    Has the loads of shared operands wait, beyond for their places, until all tiles have used a
    piece before (see ``share``), and takes those that other tiles do out of ``loads``. Pieces
    to send are loaded into places that are taken off the end of ``out``.

    ``arrivals``: operation -> what it waits for. With ``everyone``, which is for timing, the steps
    of other tiles that the tile waits for are emitted, too, as if the others were always as far as
    it is; ``everyone`` says, of each operand, how many loads share an endpoint.

    Raises
    ------
    Infeasible
        if there is no room for the places.
    """

    def __init__(
        self,
        config: ChipConfig,
        task: GemmTask,
        part: Part,
        lines: Mapping[str, Line],
        loads: list[Load],
        out: Region,
        add: Callable[..., Step],
        everyone: Mapping[str, int] | None,
    ) -> None:
        self.config, self.tile, self.add, self.everyone = config, part.tile, add, everyone
        self.arrivals: dict[int, int] = {}
        #: operation -> pieces for whose places credit is given after it
        self.freed: dict[int, list[Load]] = {}
        #: of a piece, its line and number there
        self.place: dict[Load, tuple[Line, int]] = {}
        for side, line in lines.items():
            pieces = [load for load in loads if load.kind == side]
            for number, piece in enumerate(pieces):
                if number >= line.apart:
                    piece.release = max(piece.release, pieces[number - line.apart].use)
                self.place[piece] = line, number
                self.arrivals[piece.use] = self.arrivals.get(piece.use, 0) | line.arrived(number)
                if piece.release >= 0 and self._leader(piece) != part.tile:
                    self.freed.setdefault(piece.release, []).append(piece)
        if everyone is None:
            loads[:] = [
                load for load in loads if load not in self.place or self._leader(load) == part.tile
            ]
        rows = max((piece.slot.rows for piece in self.place), default=0)
        places = len(lines) + 1
        out.rows -= places * rows
        if out.rows <= 0:
            raise Infeasible
        own: dict[tuple[int, int], list[Load]] = {}
        for load in loads:
            if load in self.place:
                own.setdefault(self._leader(load), []).append(load)
        starts = [out.base + out.rows + at * rows for at in range(places)]
        self.senders = {
            tile: _Sender(self._fetch(task, part, tile), pieces, starts)
            for tile, pieces in own.items()
        }

    def _leader(self, piece: Load) -> tuple[int, int]:
        line, number = self.place[piece]
        return line.leader(number)

    def _fetch(self, task: GemmTask, part: Part, tile: tuple[int, int]) -> Fetch:
        """What loads pieces in a leader."""
        endpoint = tile[1] % self.config.mesh.memory_endpoints
        alike = replace(part, tile=tile, endpoint=endpoint)
        return Fetch(self.config, task, alike, partial(self._at, tile))

    def _at(self, tile: tuple[int, int], opcode: Opcode, needs: list[Step], **fields: int) -> Step:
        step = self.add(opcode, needs, **fields)
        step.tile = tile
        return step

    def begin(self) -> None:
        """Loads the first pieces of each leader."""
        for sender in self.senders.values():
            for _ in sender.starts[1:]:
                self._stage(sender)

    def _stage(self, sender: _Sender) -> None:
        """The next piece of a leader into one of its places."""
        at = len(sender.loaded)
        if at == len(sender.pieces):
            return
        piece, places = sender.pieces[at], len(sender.starts)
        needs = [sender.sent[at - places]] if at >= places else []
        step = sender.fetch.emit(piece, needs, sender.starts[at % places])
        assert step is not None
        if self.everyone is not None:
            step.streams = self.everyone[piece.kind]
        sender.loaded.append(step)

    def send(self, piece: Load, release: Step | None) -> None:
        """A piece to all tiles of its line, when they are done with what it replaces; this one
        after ``release``.
        """
        line, number = self.place[piece]
        tile = line.leader(number)
        sender = self.senders[tile]
        at = len(sender.sent)
        needs, delay = [sender.loaded[at]], 0
        wait = line.credit if 0 < number < line.apart else 0
        if release is not None:
            # a step takes one of the credits
            for _ in line.tiles[2 - (wait > 0) :] if tile == self.tile else ():
                self.add(Opcode.NOP, [], engine=Engine.STORE.value).wait = (
                    line.credit if self.everyone is None else 0
                )
            wait = line.credit
            if tile == self.tile:
                needs.append(release)
                if self.everyone is not None:
                    # nobody gives what it would wait for
                    wait, delay = 0, _CREDIT_CYCLES
        store = self._at(
            tile,
            Opcode.STORE,
            needs,
            row_bytes=self.config.tile.row_bytes,
            rows=piece.slot.rows,
            local_row=sender.starts[at % len(sender.starts)],
            local_stride=1,
            remote_row=piece.slot.start,
            remote_stride=1,
            **line.to_all(number),
        )
        store.wait, store.delay_cycles = wait, delay
        sender.sent.append(store)
        if number + 1 < line.apart:
            # the first pieces follow each other, or all would come late
            self._at(tile, Opcode.STORE, [], **line.to_leader(number + 1))
        self._stage(sender)

    def give(self, operation: int, done: Step) -> None:
        """Credits for what is free after an operation."""
        for piece in self.freed.get(operation, ()):
            line, number = self.place[piece]
            self.add(Opcode.STORE, [done], **line.to_leader(number))


class _Sender:
    """What a leader has to send, in order: pieces, loads of them so far, stores so far; ``starts``:
    scratchpad rows of the places for them.
    """

    def __init__(self, fetch: Fetch, pieces: list[Load], starts: list[int]) -> None:
        self.fetch, self.pieces, self.starts = fetch, pieces, starts
        self.loaded: list[Step] = []
        self.sent: list[Step] = []
