"""The microprogrammed processor (``vector/processor``): PROGRAM and RUN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from weft_hw.isa import Opcode, Status

from ...golden.instructions import follow
from ...golden.microprogram import EngineState, run_microprogram
from ...golden.streams import Stream
from ..decode import Command
from ..timing import TIMING
from .base import Engine
from .schedule import Schedule
from .traffic import ArrayTraffic

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["Processor"]

_INSTRUCTION_BYTES = 8


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
        self._epoch = 0

    def ready(self) -> bool:
        return self._running is None

    def start(self, command: Command) -> None:
        self._running = command
        cycles = self._program(command) if command.opcode is Opcode.PROGRAM else self._run(command)
        self.events.after(cycles, self._finish, self._epoch)

    def left(self, command: Command) -> None:
        self._running = None
        self.events.after(1, self.front.offer)

    def _finish(self, epoch: int) -> None:
        if epoch != self._epoch:
            return
        command = self._running
        assert command is not None
        if command.opcode is Opcode.PROGRAM:
            status, address = self._load(command)
        else:
            status, address = self._compute(command)
        self.front.done(command, status, address)

    def abort(self) -> None:
        """What runs ends where it is."""
        self._epoch += 1
        if self._running is not None:
            self.events.after(
                TIMING.processor_quit, self.front.done, self._running, Status.ABORTED, 0
            )

    # --- PROGRAM ------------------------------------------------------------------------------

    def _rows(self, command: Command) -> int:
        """Scratchpad rows that hold the instructions."""
        row_bytes = self.tile.config.tile.row_bytes
        return -(-_INSTRUCTION_BYTES * command.fields.count // row_bytes)

    def _program(self, command: Command) -> int:
        return TIMING.processor_program + command.fields.count

    def _load(self, command: Command) -> tuple[Status, int]:
        f, pad = command.fields, self.tile.scratchpad
        if not f.count or f.start + f.count > len(self.store):
            return Status.ILLEGAL_FIELD, 0
        rows = self._rows(command)
        if f.row + rows > pad.rows:
            return Status.LOCAL_RANGE, max(f.row, pad.rows)
        words = pad.data[f.row : f.row + rows].reshape(-1).view(np.uint64)
        self.store[f.start : f.start + f.count] = words[: f.count]
        return Status.OK, 0

    # --- RUN ----------------------------------------------------------------------------------

    @staticmethod
    def _streams(command: Command) -> list[Stream]:
        return [
            Stream(s.row, s.row_stride, s.block_stride, s.format, s.accumulator)
            for s in command.fields.streams
        ]

    def _run(self, command: Command) -> int:
        f, tile = command.fields, self.tile
        streams = self._streams(command)
        config = tile.config.tile
        if not (f.m and f.n) or not all(stream.is_legal(config) for stream in streams):
            return TIMING.processor_refuse
        read_only = [number for number, stream in enumerate(streams) if stream.accumulator]
        program = follow(self.store, f.start, config.array_cols, read_only)
        schedule = Schedule(config, streams, TIMING.processor_start)
        return schedule.strips(program.segments, f.m, tile.blocks_n(f.n))

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
