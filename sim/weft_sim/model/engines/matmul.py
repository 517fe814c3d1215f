"""The matmul engine (``array/matmul.py``): what a command computes, and its life in the engine."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import ThreadpoolController
from weft_hw.isa import Status

from ..decode import Command
from ..timing import TIMING
from .base import Engine
from .pipeline import ArrayPipeline, MatmulShape

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["MatmulEngine", "multiply"]

#: Largest K of one exact float32 product: ``K * 2**14 <= 2**24``.
_EXACT_K = 1024
#: One thread: threads that wait for each other cost more than these products on a busy machine.
_POOLS = ThreadpoolController()
#: array/matmul.py _COMMANDS: commands inside at once.
_COMMANDS = 4


def multiply(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    """``a @ w`` of int8 (M, K) and (K, N) in int32, exact, through float32 BLAS."""
    total: np.ndarray | None = None
    with _POOLS.limit(limits=1, user_api="blas"):
        for k in range(0, a.shape[1], _EXACT_K):
            left = a[:, k : k + _EXACT_K].astype(np.float32)
            part = (left @ w[k : k + _EXACT_K].astype(np.float32)).astype(np.int32)
            total = part if total is None else total + part
    assert total is not None
    return total


class MatmulEngine(Engine):
    """Weight-stationary: block (nb, kb) takes ``max(M, R)`` cycles, blocks back to back."""

    def __init__(self, tile: Tile, front: FrontEnd) -> None:
        super().__init__(tile, front)
        self.pipeline = ArrayPipeline(
            tile.config.tile.array_rows, tile.scratchpad, tile.accumulator
        )
        self._running: deque[tuple[Command, Status, int, int]] = deque()
        self._epoch = 0
        self._busy_until = 0

    # --- commands -----------------------------------------------------------------------------

    def ready(self) -> bool:
        command = self.front.command
        if self.events.now < max(self.pipeline.accepts_from, self._busy_until):
            return False
        if command is not None and self._is_empty(command):
            return not self._running
        return len(self._running) < _COMMANDS and not self._failing()

    def _failing(self) -> bool:
        return any(status is not Status.OK for _, status, _, _ in self._running)

    @staticmethod
    def _is_empty(command: Command) -> bool:
        return not (command.fields.m and command.fields.k and command.fields.n)

    def start(self, command: Command) -> None:
        now = self.events.now
        if self._is_empty(command):
            self._enqueue(command, Status.ILLEGAL_FIELD, 0, now + TIMING.matmul_refuse)
            return
        fault = self._fault(command)
        shape = self._shape(command)
        if fault is None:
            self._enqueue(command, Status.OK, 0, self.pipeline.run(now, shape))
        else:
            steps, row = fault
            begun = self.pipeline.run(now, replace(shape, m=1, k_blocks=1, n_blocks=1))
            done = max(begun + steps + TIMING.matmul_fault, now + TIMING.matmul_refuse)
            self._enqueue(command, Status.LOCAL_RANGE, row, done)
        self.events.at(self.pipeline.accepts_from, self.front.offer)

    def _shape(self, command: Command) -> MatmulShape:
        f = command.fields
        return MatmulShape(
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
        )

    def _enqueue(self, command: Command, status: Status, address: int, done: int) -> None:
        self._running.append((command, status, address, done))
        self.events.at(done, self._finish, self._epoch)

    def _finish(self, epoch: int) -> None:
        if epoch != self._epoch:
            return
        command, status, address, _ = self._running.popleft()
        if status is Status.OK:
            f = command.fields
            blocks = self.tile.blocks_k(f.k) * self.tile.blocks_n(f.n)
            self.tile.counters.array_steps += f.m * blocks
        self._end(command, status, address)
        if status is Status.LOCAL_RANGE:
            self._quit(self.events.now)
        self.events.after(1, self.front.offer)

    def _fault(self, command: Command) -> tuple[int, int] | None:
        """(array steps before it, row) of the first row that leaves its memory; None if none
        does.
        """
        f, tile = command.fields, self.tile
        kb, nb = tile.blocks_k(f.k), tile.blocks_n(f.n)
        rows, faults = tile.config.tile.array_rows, []
        per_block = max(f.m, rows)
        pad, acc = tile.scratchpad.rows, tile.accumulator.rows
        if not tile.scratchpad.holds(f.a_row, (f.m, f.a_stride), (kb, 1)):
            block = max(0, pad - f.a_row - (f.m - 1) * f.a_stride)
            first = f.a_row + block
            m = 0 if first >= pad else -(-(pad - first) // f.a_stride)
            faults.append((block * per_block + m, min(first, pad) + m * f.a_stride))
        if not tile.scratchpad.holds(f.w_row, (f.k, f.w_stride), (nb, 1)):
            for block in range(kb * nb):
                n, k = divmod(block, kb)
                row = f.w_row + n + (min((k + 1) * rows, f.k) - 1) * f.w_stride
                if row >= pad:
                    # found while the array waits for these weights
                    faults.append((block * per_block - rows - 2, row))
                    break
        if not tile.accumulator.holds(f.acc_row, (nb, f.acc_stride), (f.m, 1)):
            for n in range(nb):
                first = f.acc_row + n * f.acc_stride
                if first + f.m > acc:
                    m = max(0, acc - first)
                    faults.append((n * kb * per_block + m + 2 * rows + 1, max(first, acc)))
                    break
        return min(faults) if faults else None

    # --- abort --------------------------------------------------------------------------------

    def _drain_cycles(self) -> int:
        return 2 * self.tile.config.tile.array_rows + TIMING.matmul_quit

    def abort(self) -> None:
        self._quit(self.events.now + self._drain_cycles())

    def _quit(self, cycle: int) -> None:
        """The array drains until ``cycle``; what has not ended by then is ABORTED."""
        self._epoch += 1
        running, self._running = self._running, deque()
        for command, status, address, done in running:
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
        kb, nb = tile.blocks_k(f.k), tile.blocks_n(f.n)
        a = tile.scratchpad.view(f.a_row, (f.m, f.a_stride), (kb, 1)).view(np.int8)
        a = a.reshape(f.m, -1)[:, : f.k]
        w = tile.scratchpad.view(f.w_row, (f.k, f.w_stride), (nb, 1)).view(np.int8)
        w = w.reshape(f.k, -1)
        if f.n % tile.config.tile.array_cols:
            w = w.copy()
            w[:, f.n :] = 0
        product = multiply(a, w).reshape(f.m, nb, -1).transpose(1, 0, 2)
        target = tile.accumulator.view(f.acc_row, (nb, f.acc_stride), (f.m, 1))
        for block in range(nb):
            if f.accumulate:
                target[block] += product[block]
            else:
                target[block] = product[block]
