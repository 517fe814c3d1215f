"""The vector engine: accumulators to the scratchpad as int8 or int32."""

from __future__ import annotations

import numpy as np
from weft_hw.isa import Status, VectorOutput

from ...golden import requantise, vector_int32
from ..decode import Command
from ..timing import TIMING
from .base import Engine

__all__ = ["VectorEngine"]


class VectorEngine(Engine):
    """One accumulator row a cycle (INT8), or one output row a cycle (INT32)."""

    def _rows_out(self, command: Command) -> int:
        """Scratchpad rows for each accumulator row."""
        tile = self.tile.config.tile
        if command.fields.output == VectorOutput.INT32.value:
            return tile.accumulator_row_bytes // tile.row_bytes
        return 1

    def check(self, command: Command) -> tuple[Status, int]:
        f, tile = command.fields, self.tile
        if not (f.m and f.n) or f.output > VectorOutput.INT32.value:
            return Status.ILLEGAL_FIELD, 0
        nb = tile.blocks_n(f.n)
        constants = nb * (tile.config.tile.accumulator_row_bytes // tile.config.tile.row_bytes)
        int8 = f.output == VectorOutput.INT8.value
        ranges = [
            (tile.accumulator, f.acc_row, ((nb, f.acc_stride), (f.m, 1))),
            (tile.scratchpad, f.out_row, ((f.m, f.out_stride), (nb * self._rows_out(command), 1))),
        ]
        if f.use_bias:
            ranges.append((tile.scratchpad, f.bias_row, ((constants, 1),)))
        if int8:
            ranges.append((tile.scratchpad, f.scale_row, ((constants, 1),)))
        if int8 and f.use_residual:
            ranges.append((tile.scratchpad, f.residual_row, ((f.m, f.residual_stride), (nb, 1))))
        for memory, row, walks in ranges:
            if not memory.holds(row, *walks):
                return Status.LOCAL_RANGE, memory.last_row(row, *walks)
        return Status.OK, 0

    def begin(self, command: Command) -> None:
        f, tile = command.fields, self.tile
        nb = tile.blocks_n(f.n)
        per_block = tile.config.tile.accumulator_row_bytes // tile.config.tile.row_bytes
        constants = per_block * (f.use_bias + (f.output == VectorOutput.INT8.value))
        steps = nb * (constants + f.m * self._rows_out(command))
        tile.counters.rows_drained += nb * f.m
        end = self.events.now + TIMING.vector_start + steps + TIMING.vector_drain
        self.accept_at(end)
        self.end_at(end, command, Status.OK)

    def _constants(self, row: int, nb: int, dtype: type[np.generic]) -> np.ndarray:
        """(nb * C,) of ``dtype`` packed from a scratchpad row on."""
        rows = nb * self.tile.config.tile.accumulator_row_bytes // self.tile.config.tile.row_bytes
        return self.tile.scratchpad.data[row : row + rows].reshape(-1).view(dtype)

    def execute(self, command: Command) -> None:
        f, tile = command.fields, self.tile
        nb, cols = tile.blocks_n(f.n), tile.config.tile.array_cols
        acc = tile.accumulator.view(f.acc_row, (nb, f.acc_stride), (f.m, 1))
        acc = np.ascontiguousarray(acc.transpose(1, 0, 2)).reshape(f.m, nb * cols)
        bias = self._constants(f.bias_row, nb, np.int32) if f.use_bias else None
        if f.output == VectorOutput.INT32.value:
            result = vector_int32(acc, bias)
        else:
            residual = None
            if f.use_residual:
                walks = ((f.m, f.residual_stride), (nb, 1))
                residual = tile.scratchpad.view(f.residual_row, *walks).view(np.int8)
                residual = residual.reshape(f.m, nb * cols)
            result = requantise(
                acc,
                self._constants(f.scale_row, nb, np.float32),
                f.zero_point,
                f.clamp_min,
                f.clamp_max,
                bias,
                residual,
            )
        rows_out = nb * self._rows_out(command)
        target = tile.scratchpad.view(f.out_row, (f.m, f.out_stride), (rows_out, 1))
        raw = result.view(np.uint8).reshape(target.shape)
        if f.out_stride >= rows_out:
            target[...] = raw
        else:
            for m in range(f.m):
                target[m] = raw[m]
