"""The microprogrammed processor (``vector/processor``): PROGRAM and RUN."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import numpy as np
from weft_hw.isa import Opcode, Status

from ...golden.instructions import follow
from ...golden.microprogram import EngineState, run_microprogram
from ...golden.streams import Stream
from ..decode import Command
from ..timing import TIMING
from .base import Engine
from .schedule import Place, Schedule
from .traffic import ArrayTraffic

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["Processor"]

_INSTRUCTION_BYTES = 8
_MASK = (1 << 32) - 1


class Processor(Engine):
    """One command at a time. ``store`` holds the microprograms, (entries,) uint64."""

    def __init__(self, tile: Tile, front: FrontEnd, traffic: ArrayTraffic) -> None:
        super().__init__(tile, front)
        config = tile.config.tile
        self.traffic = traffic
        self.conflicts = 0
        self.store = np.zeros(config.microprogram_entries, np.uint64)
        self._state = EngineState(config.array_cols)
        self._running: Command | None = None
        self._answered = False
        self._ends_at = 0
        #: when each row of instructions is asked for and granted
        self._asked: list[tuple[int, int]] = []
        self._epoch = 0

    def ready(self) -> bool:
        return self._running is None

    def start(self, command: Command) -> None:
        self._running = command
        self._answered = False
        now = self.events.now
        if command.opcode is Opcode.PROGRAM:
            self._at(self._program(command, now), self._load)
        else:
            self._run(command, now)

    def _at(self, cycle: int, execute: Callable[[Command], tuple[Status, int]]) -> None:
        """Ends the command in ``cycle`` with what ``execute`` does and says then."""
        self._ends_at = cycle
        self.events.at(cycle, self._finish, self._epoch, execute)

    def left(self, command: Command) -> None:
        self._running = None
        self.events.after(1, self.front.offer)

    def _finish(self, epoch: int, execute: Callable[[Command], tuple[Status, int]]) -> None:
        if epoch != self._epoch or self._running is None:
            return
        self._epoch += 1
        self._answered = True
        self.front.done(self._running, *execute(self._running))

    def abort(self) -> None:
        """What runs ends where it is."""
        self._epoch += 1
        if self._running is None or self._answered:
            return
        self._answered = True
        now = self.events.now
        cycle = now + TIMING.processor_quit
        if self._running.opcode is Opcode.PROGRAM:
            # a row of instructions that has been asked for still comes
            rows = [granted for asked, granted in self._asked if asked < now]
            quit_at = rows[-1] + TIMING.processor_program_quit + self._per_row if rows else now + 1
            cycle = min(self._ends_at, max(quit_at, now + 1))
        self.events.at(cycle, self.front.done, self._running, Status.ABORTED, 0)

    # --- PROGRAM ------------------------------------------------------------------------------

    @property
    def _per_row(self) -> int:
        """Instructions in a scratchpad row."""
        return self.tile.config.tile.row_bytes // _INSTRUCTION_BYTES

    def _rows(self, command: Command) -> int:
        """Scratchpad rows that hold the instructions."""
        row_bytes = self.tile.config.tile.row_bytes
        return -(-_INSTRUCTION_BYTES * command.fields.count // row_bytes)

    def _program(self, command: Command, cycle: int) -> int:
        """The cycle in which a PROGRAM taken in ``cycle`` is done."""
        if self._program_fault(command) is not None:
            return cycle + TIMING.processor_refuse
        f, pad = command.fields, self.tile.scratchpad
        self.traffic.vector.begin(pad.banks_of(f.row, f.row + self._rows(command) - 1))
        each = self._per_row
        ask = cycle + TIMING.processor_program
        self._asked = []
        for number in range(self._rows(command)):
            granted = self.traffic.read_from(f.row + number, ask)
            self.conflicts += granted - ask
            self._asked.append((ask, granted))
            row = f.row + number
            self.traffic.vector.add(
                ask, granted + 1 - ask, self.traffic.scratchpad.banks_of(row, row)
            )
            ask = granted + each
        return granted + (f.count - 1) % each + TIMING.processor_programmed

    def _program_fault(self, command: Command) -> tuple[Status, int] | None:
        f = command.fields
        last_entry, last_row = f.start + f.count - 1, f.row + self._rows(command) - 1
        if not f.count:
            return Status.ILLEGAL_FIELD, 0
        if last_entry >= len(self.store):
            return Status.ILLEGAL_INSTRUCTION, last_entry
        if last_row >= self.tile.scratchpad.rows:
            return Status.LOCAL_RANGE, last_row & _MASK
        return None

    def _load(self, command: Command) -> tuple[Status, int]:
        """Instructions into the store."""
        fault = self._program_fault(command)
        if fault is not None:
            return fault
        f, pad = command.fields, self.tile.scratchpad
        words = pad.data[f.row : f.row + self._rows(command)].reshape(-1).view(np.uint64)
        self.store[f.start : f.start + f.count] = words[: f.count]
        return Status.OK, 0

    # --- RUN ----------------------------------------------------------------------------------

    @staticmethod
    def _streams(command: Command) -> list[Stream]:
        return [
            Stream(s.row, s.row_stride, s.block_stride, s.format, s.accumulator)
            for s in command.fields.streams
        ]

    def _run(self, command: Command, cycle: int) -> None:
        f, tile = command.fields, self.tile
        streams, config = self._streams(command), tile.config.tile
        if not (f.m and f.n) or not all(stream.is_legal(config) for stream in streams):
            self._at(cycle + TIMING.processor_refuse, self._compute)
            return
        read_only = [number for number, stream in enumerate(streams) if stream.accumulator]
        program = follow(self.store, f.start, config.array_cols, read_only)
        places = [Place.of(config, stream) for stream in streams]
        self.traffic.vector.begin(self._banks(places, f.m, tile.blocks_n(f.n)))
        schedule = Schedule(config, places, self.traffic, tile.load_writes, cycle)
        self._go_on(self._epoch, schedule, schedule.run(program, f.m, tile.blocks_n(f.n)))

    def _banks(self, places: list[Place], m: int, blocks: int) -> int:
        """Scratchpad banks in which streams lie, a bit each."""
        banks = 0
        for place in places:
            if not place.is_accumulator:
                corners = [place.row(i, j) for i in (0, m - 1) for j in (0, blocks - 1)]
                low, high = max(0, min(corners)), min(max(corners) + place.rows, place.limit) - 1
                banks |= self.tile.scratchpad.banks_of(min(low, high), high) if high >= 0 else 0
        return banks

    def _go_on(self, epoch: int, schedule: Schedule, plan: Generator[int, None, int]) -> None:
        """Plans the program as far as it is known what the array will do."""
        if epoch != self._epoch:
            return
        try:
            look = next(plan)
            while look <= self.events.now:
                look = next(plan)
        except StopIteration as end:
            self._at(end.value, self._compute)
            self.conflicts += schedule.conflicts
            self.tile.counters.rows_drained += schedule.drained
        else:
            self.events.at(look, self._go_on, epoch, schedule, plan)

    def _compute(self, command: Command) -> tuple[Status, int]:
        f, tile = command.fields, self.tile
        result = run_microprogram(
            tile.config.tile,
            self.store,
            tile.scratchpad.data,
            tile.accumulator.data,
            m=f.m,
            n=f.n,
            start=f.start,
            streams=self._streams(command),
            scalars=f.scalars,
            state=self._state,
        )
        return result.status, result.address
