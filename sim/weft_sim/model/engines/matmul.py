"""The matmul engine (``array/matmul.py``): what a command computes, and its life in the engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from weft_hw.formats.table import Format, units_per_row
from weft_hw.isa import Status
from weft_hw.memory.accumulator import Accumulator

from ..decode import Command
from ..local import LocalMemory
from ..operands import SCALE_BLOCK, FormatUse, format_use, operand_values, scaled_values
from ..products import multiply, multiply_float
from ..timing import TIMING
from .base import PlannedEngine
from .pipeline import ArrayPipeline
from .shapes import MatmulShape, ScaleRows

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["MatmulEngine"]

#: array/matmul.py _COMMANDS: commands inside at once.
_COMMANDS = 4


class MatmulEngine(PlannedEngine):
    """Weight-stationary: block (nb, kb) takes ``max(M, R)`` cycles, blocks back to back."""

    def __init__(self, tile: Tile, front: FrontEnd) -> None:
        super().__init__(tile, front)
        config = tile.config.tile
        self._int8_units = units_per_row(config, Format.INT8)
        self.pipeline = ArrayPipeline(config, tile.scratchpad, tile.accumulator)
        self._quits_in = (
            self.pipeline.traffic.update_delay
            + Accumulator.update_latency(config)
            + TIMING.matmul_quit
        )
        self._busy_until = 0

    # --- commands -----------------------------------------------------------------------------

    def ready(self) -> bool:
        command = self.front.command
        if self.events.now < max(self.pipeline.accepts_from, self._busy_until):
            return False
        if command is not None and self._is_illegal(command):
            return not self._running
        return len(self._running) < _COMMANDS and not self._failing()

    def _failing(self) -> bool:
        return any(entry.status is not Status.OK for entry in self._running)

    def _use(self, command: Command) -> FormatUse | None:
        f = command.fields
        return format_use(self.tile.config.tile, f.format, f.scaled)

    def _pad(self, use: FormatUse) -> LocalMemory:
        """The scratchpad in units of a format."""
        return self.tile.scratchpad.in_units(use.per_row)

    def _is_illegal(self, command: Command) -> bool:
        """Empty, or of a format that is not built in."""
        f = command.fields
        return not (f.m and f.k and f.n) or self._use(command) is None

    def start(self, command: Command) -> None:
        now = self.events.now
        if self._is_illegal(command):
            self._enqueue(command, Status.ILLEGAL_FIELD, 0, now + TIMING.matmul_refuse)
            return
        fault = self._fault(command)
        shape = self._shape(command)
        if fault is None:
            planned = self.pipeline.traffic.steps_planned
            done = self.pipeline.run(now, shape)
            self._put_off(self.pipeline.ends[:-1])
            self._enqueue(command, Status.OK, 0, done, planned)
        else:
            steps, row = fault
            begun = self.pipeline.run(now, replace(shape, m=1, k_blocks=1, n_blocks=1))
            self._put_off(self.pipeline.ends[:-1])
            done = max(begun + steps + TIMING.matmul_fault, now + TIMING.matmul_refuse)
            self._enqueue(command, Status.LOCAL_RANGE, row, done)
        self.events.at(self.pipeline.accepts_from, self.front.offer)

    def _shape(self, command: Command) -> MatmulShape:
        f = command.fields
        use = self._use(command)
        assert use is not None
        return MatmulShape(
            pad=self._pad(use),
            m=f.m,
            k=f.k,
            n=f.n,
            k_blocks=self.tile.blocks_k(f.k),
            n_blocks=self.tile.blocks_n(f.n),
            a_row=f.a_row,
            a_stride=f.a_stride,
            w_row=f.w_row,
            w_stride=f.w_stride,
            acc_row=f.acc_row,
            acc_stride=f.acc_stride,
            accumulate=bool(f.accumulate),
            scales=self._scale_rows(command) if use.scaled else None,
        )

    def _scale_rows(self, command: Command) -> ScaleRows:
        f, config = command.fields, self.tile.config.tile
        return ScaleRows(
            a_row=f.a_scale_row,
            a_stride=f.a_scale_stride,
            w_row=f.w_scale_row,
            w_stride=f.w_scale_stride,
            per_row=config.row_bytes,
            units=self._int8_units,
            blocks=max(1, SCALE_BLOCK // config.array_rows),
        )

    def _finished(self, command: Command, status: Status) -> None:
        if status is Status.OK:
            f = command.fields
            blocks = self.tile.blocks_k(f.k) * self.tile.blocks_n(f.n)
            self.tile.counters.array_steps += f.m * blocks
        if status is Status.LOCAL_RANGE:
            self._quit(self.events.now)

    def _fault(self, command: Command) -> tuple[int, int] | None:
        """(array steps before it, row) of the first unit or accumulator row that leaves its memory;
        None if none does.
        """
        f, tile = command.fields, self.tile
        kb, nb = tile.blocks_k(f.k), tile.blocks_n(f.n)
        rows, faults = tile.config.tile.array_rows, []
        per_block = max(f.m, rows)
        use = self._use(command)
        assert use is not None
        units = self._pad(use)
        pad, acc = units.rows, tile.accumulator.rows
        if not units.holds(f.a_row, (f.m, f.a_stride), (kb, 1)):
            block = max(0, pad - f.a_row - (f.m - 1) * f.a_stride)
            first = f.a_row + block
            m = 0 if first >= pad else -(-(pad - first) // f.a_stride)
            unit = min(first, pad) + m * f.a_stride
            faults.append((block * per_block + m, unit // use.per_row))
        if not units.holds(f.w_row, (f.k, f.w_stride), (nb, 1)):
            for block in range(kb * nb):
                n, k = divmod(block, kb)
                unit = f.w_row + n + (min((k + 1) * rows, f.k) - 1) * f.w_stride
                if unit >= pad:
                    # found while the array waits for these weights
                    faults.append((block * per_block - rows - 2, unit // use.per_row))
                    break
        if not tile.accumulator.holds(f.acc_row, (nb, f.acc_stride), (f.m, 1)):
            for n in range(nb):
                first = f.acc_row + n * f.acc_stride
                if first + f.m > acc:
                    m = max(0, acc - first)
                    through = self.pipeline.traffic.update_delay
                    faults.append((n * kb * per_block + m + through + 1, max(first, acc)))
                    break
        if use.scaled:
            faults += self._scale_faults(command)
        return min(faults) if faults else None

    def _scale_faults(self, command: Command) -> Iterator[tuple[int, int]]:
        """The same for rows of scales."""
        f, tile = command.fields, self.tile
        rows, pad = tile.config.tile.array_rows, tile.scratchpad.rows
        kb, per_block = tile.blocks_k(f.k), max(f.m, rows)
        scales, lines = self._scale_rows(command), -(-f.m // tile.config.tile.row_bytes)
        for k in range(kb):
            first = scales.a(k, 0)
            if first + lines > pad:
                chunk = max(0, pad - first)
                yield k * per_block + chunk * scales.per_row, max(first, pad)
                break
        for block in range(kb * tile.blocks_n(f.n)):
            row = scales.w(*divmod(block, kb))
            if row >= pad:
                yield block * per_block - rows - 2, row
                break

    # --- abort --------------------------------------------------------------------------------

    def abort(self) -> None:
        cycle = self.events.now + self._quits_in
        begun = [entry for entry in self._running if entry.done > cycle]
        if begun and begun[0].status is Status.OK:
            # their operand rows count that have been read
            steps = self.pipeline.traffic.steps_before(self.events.now)
            self.tile.counters.array_steps += max(0, steps - begun[0].steps_before)
        self._quit(cycle)

    def _quit(self, cycle: int) -> None:
        """The array drains until ``cycle``; what has not ended by then is ABORTED."""
        for command, status, address, done, _ in self._replan():
            if done > cycle:
                status, address, done = Status.ABORTED, 0, cycle
                cycle += 1
            self._enqueue(command, status, address, done)
        self._busy_until = cycle + 1
        self.pipeline.flush(cycle)
        self.events.at(self._busy_until, self.front.offer)

    # --- what it computes ---------------------------------------------------------------------

    def execute(self, command: Command) -> None:
        f, tile = command.fields, self.tile
        use = self._use(command)
        assert use is not None
        nb, rows = tile.blocks_n(f.n), tile.config.tile.array_rows
        a, w = self._operands(command, use)
        target = tile.accumulator.view(f.acc_row, (nb, f.acc_stride), (f.m, 1))
        if use.is_float:
            target = target.view(np.float32)
        # columns of blocks that share rows add to each other's sums, one after the other
        together = 1 if f.accumulate and use.is_float and f.acc_stride < f.m else nb
        for first in range(0, nb, together):
            sums = target[first : first + together]
            lanes = slice(first * sums.shape[2], (first + len(sums)) * sums.shape[2])
            if use.is_float:
                before = None
                if f.accumulate:
                    before = np.ascontiguousarray(sums.transpose(1, 0, 2)).reshape(f.m, -1)
                product = multiply_float(a, w[:, lanes], rows, before)
            else:
                product = multiply(a, w[:, lanes])
            product = product.reshape(f.m, len(sums), -1).transpose(1, 0, 2)
            for block, part in zip(sums, product, strict=True):
                if f.accumulate and not use.is_float:
                    block += part
                else:
                    block[...] = part

    def _operands(self, command: Command, use: FormatUse) -> tuple[np.ndarray, np.ndarray]:
        """Activations (M, K) and weights (K, whole blocks of N, zero beyond N)."""
        f, units = command.fields, self._pad(use)
        kb, nb = self.tile.blocks_k(f.k), self.tile.blocks_n(f.n)
        a = units.view(f.a_row, (f.m, f.a_stride), (kb, 1)).reshape(f.m, -1)
        w = units.view(f.w_row, (f.k, f.w_stride), (nb, 1)).reshape(f.k, -1)
        a = operand_values(np.ascontiguousarray(a), use.code)[:, : f.k]
        w = operand_values(np.ascontiguousarray(w), use.code)
        if use.scaled:
            a = scaled_values(a, self._a_scales(command))
            w = scaled_values(w, self._w_scales(command))
        if f.n % self.tile.config.tile.array_cols:
            w = w.copy()
            w[:, f.n :] = 0
        return a, w

    def _a_scales(self, command: Command) -> np.ndarray:
        """(M, K) uint8."""
        f, pad = command.fields, self.tile.scratchpad
        walks = (-(-f.k // SCALE_BLOCK), f.a_scale_stride), (-(-f.m // pad.data.shape[1]), 1)
        scales = pad.view(f.a_scale_row, *walks).reshape(walks[0][0], -1)[:, : f.m]
        return np.repeat(scales.T, SCALE_BLOCK, axis=1)[:, : f.k]

    def _w_scales(self, command: Command) -> np.ndarray:
        """(K, whole blocks of N) uint8."""
        f, tile = command.fields, self.tile
        units = tile.scratchpad.in_units(self._int8_units)
        walks = (-(-f.k // SCALE_BLOCK), f.w_scale_stride), (tile.blocks_n(f.n), 1)
        scales = units.view(f.w_scale_row, *walks).reshape(walks[0][0], -1)
        return np.repeat(scales, SCALE_BLOCK, axis=0)[: f.k]
