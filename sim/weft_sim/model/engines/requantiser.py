"""The requantiser (``vector/requantiser``): accumulators to the scratchpad as int8 or int32."""

from __future__ import annotations

from collections.abc import Generator
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from weft_hw.formats.table import Format, units_per_row
from weft_hw.isa import Status, VectorOutput

from ...golden import requantise, vector_int32
from ..decode import Command
from ..timing import TIMING
from .base import PlannedEngine
from .lanes import LanePipeline, VectorShape
from .traffic import ArrayTraffic

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["Requantiser"]

#: vector/requantiser/requantiser.py _COMMANDS: commands inside at once.
_COMMANDS = 4


class Requantiser(PlannedEngine):
    """A row a cycle (INT8) or every ``4 C / row_bytes`` cycles (INT32), parameters fetched
    ahead.
    """

    def __init__(self, tile: Tile, front: FrontEnd, traffic: ArrayTraffic) -> None:
        super().__init__(tile, front)
        config = tile.config.tile
        self.pipeline = LanePipeline(traffic, tile.load_writes, self._upcoming)
        self._parts = config.accumulator_row_bytes // config.row_bytes
        self._units = units_per_row(config, Format.INT8)
        self._intake: tuple[Command, VectorShape | None, Status, int, int] | None = None
        self._plan: Generator[int, None, int] | None = None
        self._planned: Command | None = None
        self._last_done = 0
        #: of each command that is planned, by its index: rows up to its last that may meet loads
        self._rows: dict[int, int] = {}

    # --- commands -----------------------------------------------------------------------------

    def ready(self) -> bool:
        inside = len(self._running) + (self._plan is not None)
        return (
            self._intake is None
            and self.events.now >= self.pipeline.accepts_from
            and inside < _COMMANDS
        )

    def start(self, command: Command) -> None:
        now = self.events.now
        f = command.fields
        shape, status, address, offer = None, Status.OK, 0, now + TIMING.vector_checked
        if not (f.m and f.n) or f.output > VectorOutput.INT32.value:
            status, offer = Status.ILLEGAL_FIELD, now + TIMING.vector_illegal
        else:
            fault = self._fault(command)
            if fault is None:
                shape = self._shape(command)
            else:
                status, address = Status.LOCAL_RANGE, fault
        self._intake = command, shape, status, address, offer
        if shape is not None:
            self.pipeline.traffic.vector.begin(self._banks_read(shape))
        self.events.at(offer, self._take)

    def _shape(self, command: Command) -> VectorShape:
        f = command.fields
        int32 = f.output == VectorOutput.INT32.value
        memory = self.tile.scratchpad.in_units(1 if int32 else self._units)
        return VectorShape(
            rows=f.m,
            blocks=self.tile.blocks_n(f.n),
            parts=self._parts,
            units=self._units,
            parameter_rows=-(-4 * f.n // self.tile.config.tile.row_bytes),
            int32=int32,
            bias=bool(f.use_bias),
            residual=bool(f.use_residual) and not int32,
            acc_row=f.acc_row,
            acc_stride=f.acc_stride,
            bias_row=f.bias_row,
            scale_row=f.scale_row,
            residual_row=f.residual_row,
            residual_stride=f.residual_stride,
            out_row=f.out_row,
            out_stride=f.out_stride,
            out_banks=memory.banks_of(f.out_row, memory.last_row(f.out_row, *self._outputs(f))),
        )

    def _banks_read(self, shape: VectorShape) -> int:
        """Scratchpad banks of parameters and residuals, a bit each."""
        pad, banks = self.tile.scratchpad, 0
        for used, row in ((shape.bias, shape.bias_row), (not shape.int32, shape.scale_row)):
            if used:
                banks |= pad.banks_of(row, row + shape.parameter_rows - 1)
        if shape.residual:
            last = shape.residual_row + (shape.rows - 1) * shape.residual_stride + shape.blocks - 1
            banks |= pad.in_units(self._units).banks_of(shape.residual_row, last)
        return banks

    def _outputs(self, f: SimpleNamespace) -> tuple[tuple[int, int], tuple[int, int]]:
        """The walks of what a command writes."""
        int32 = f.output == VectorOutput.INT32.value
        return (f.m, f.out_stride), (self.tile.blocks_n(f.n) * self._rows_out(int32), 1)

    def _upcoming(self) -> tuple[int, VectorShape] | None:
        """The command that is checked or waits for the agents, and when it is offered."""
        if self._intake is None or self._intake[1] is None:
            return None
        return self._intake[4], self._intake[1]

    def _take(self) -> None:
        """The agents take the checked command when they are through with the one before."""
        if self._intake is None or self._plan is not None or self.events.now < self._intake[4]:
            return
        command, shape, status, address, offer = self._intake
        self._intake = None
        if shape is None:
            taken = max(offer, self.pipeline.last_read + 1)
            self.pipeline.accepts_from = taken + 1
            self._enqueue(command, status, address, taken + TIMING.vector_refuse)
            self.events.at(taken + 1, self.front.offer)
            return
        self._plan = self.pipeline.plan(offer, shape)
        self._go_on(self._epoch, command)
        self.events.at(self.pipeline.accepts_from, self.front.offer)

    def _go_on(self, epoch: int, command: Command) -> None:
        """Plans the next rows of the command that drains."""
        if epoch != self._epoch or self._plan is None:
            return
        try:
            look = next(self._plan)
        except StopIteration as end:
            self._plan = None
            self._rows[command.index] = self.pipeline.writes.added
            self._enqueue(command, Status.OK, 0, end.value)
            self._take()
        else:
            self._planned = command
            self.events.at(look, self._go_on, epoch, command)

    def _enqueue(
        self, command: Command, status: Status, address: int, done: int, steps_before: int = 0
    ) -> None:
        self._last_done = max(done, self._last_done + 1)
        super()._enqueue(command, status, address, self._last_done, steps_before)

    def _finish(self, epoch: int) -> None:
        if epoch == self._epoch:
            index = self._running[0].command.index
            written = self.pipeline.writes.done(self._rows.get(index, 0))
            if written > self.events.now:
                self.events.at(written, self._finish, epoch)
                return
            self._rows.pop(index, None)
        super()._finish(epoch)

    def _finished(self, command: Command, status: Status) -> None:
        if status is Status.OK:
            f = command.fields
            self.tile.counters.rows_drained += self.tile.blocks_n(f.n) * f.m

    def abort(self) -> None:
        """Rows under way are still written; a command whose last row was asked for ends well."""
        now = self.events.now
        running = self._replan()
        self._last_done = now
        quiet = now + TIMING.vector_write + 1
        for command, status, address, done, _ in running:
            self._enqueue(command, status, address, done)
        if self._plan is not None and self._planned is not None:
            self._enqueue(self._planned, Status.ABORTED, 0, quiet)
        if self._intake is not None:
            self._enqueue(self._intake[0], Status.ABORTED, 0, quiet)
        self._plan = self._intake = None
        self.pipeline.flush(now)
        self.pipeline.accepts_from = self._last_done + 1
        self.events.at(self._last_done + 1, self.front.offer)

    def _fault(self, command: Command) -> int | None:
        """Last row of the first walk that leaves its memory; None if none does."""
        f, tile = command.fields, self.tile
        int32 = f.output == VectorOutput.INT32.value
        nb = tile.blocks_n(f.n)
        constants = -(-4 * f.n // tile.config.tile.row_bytes)
        pad, units = tile.scratchpad, tile.scratchpad.in_units(self._units)
        out = pad if int32 else units
        walks = [
            (1, tile.accumulator, f.acc_row, ((nb, f.acc_stride), (f.m, 1))),
            (1, out, f.out_row, self._outputs(f)),
            (f.use_bias, pad, f.bias_row, ((constants, 1),)),
            (not int32, pad, f.scale_row, ((constants, 1),)),
            (
                f.use_residual and not int32,
                units,
                f.residual_row,
                ((f.m, f.residual_stride), (nb, 1)),
            ),
        ]
        for used, memory, row, loops in walks:
            if used and not memory.holds(row, *loops):
                per_row = self._units if memory is units else 1
                return memory.last_row(row, *loops) // per_row
        return None

    # --- what it computes ---------------------------------------------------------------------

    def _rows_out(self, int32: bool) -> int:
        """Rows (INT32) or int8 units for each accumulator row."""
        return self._parts if int32 else 1

    def _constants(self, row: int, n: int, dtype: type[np.generic]) -> np.ndarray:
        """(n,) of ``dtype`` packed from a scratchpad row on."""
        rows = -(-4 * n // self.tile.config.tile.row_bytes)
        return self.tile.scratchpad.data[row : row + rows].reshape(-1).view(dtype)[:n]

    def execute(self, command: Command) -> None:
        f, tile = command.fields, self.tile
        nb, cols = tile.blocks_n(f.n), tile.config.tile.array_cols
        units = tile.scratchpad.in_units(self._units)
        acc = tile.accumulator.view(f.acc_row, (nb, f.acc_stride), (f.m, 1))
        acc = np.ascontiguousarray(acc.transpose(1, 0, 2)).reshape(f.m, nb * cols)[:, : f.n]
        bias = self._constants(f.bias_row, f.n, np.int32) if f.use_bias else None
        int32 = f.output == VectorOutput.INT32.value
        if int32:
            result = vector_int32(acc, bias)
        else:
            residual = None
            if f.use_residual:
                walks = ((f.m, f.residual_stride), (nb, 1))
                residual = units.view(f.residual_row, *walks).view(np.int8)
                residual = residual.reshape(f.m, nb * cols)[:, : f.n]
            scale = self._constants(f.scale_row, f.n, np.float32)
            result = requantise(acc, scale, f.zero_point, f.clamp_min, f.clamp_max, bias, residual)
        whole = np.zeros((f.m, nb * cols), result.dtype)
        whole[:, : f.n] = result
        rows_out = nb * self._rows_out(int32)
        memory = tile.scratchpad if int32 else units
        target = memory.view(f.out_row, (f.m, f.out_stride), (rows_out, 1))
        raw = whole.view(np.uint8).reshape(target.shape)
        if f.out_stride >= rows_out or f.m == 1:
            target[...] = raw
        else:
            for m in range(f.m):
                target[m] = raw[m]
