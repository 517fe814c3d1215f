"""The matmul engine: blocks of K x N weights held in the array, M operand rows through each."""

from __future__ import annotations

import numpy as np
from weft_hw.isa import Status

from ..decode import Command
from ..timing import TIMING
from .base import Engine

__all__ = ["MatmulEngine", "multiply"]

#: Largest K of one exact float32 product: ``K * 2**14 <= 2**24``.
_EXACT_K = 1024


def multiply(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    """``a @ w`` of int8 (M, K) and (K, N), exact in int32 (wrapping beyond), through float32 BLAS."""
    total: np.ndarray | None = None
    for k in range(0, a.shape[1], _EXACT_K):
        left = a[:, k : k + _EXACT_K].astype(np.float32)
        part = (left @ w[k : k + _EXACT_K].astype(np.float32)).astype(np.int32)
        total = part if total is None else total + part
    assert total is not None
    return total


class MatmulEngine(Engine):
    """Weight-stationary: block (nb, kb) takes ``max(M, R)`` cycles, blocks back to back."""

    def check(self, command: Command) -> tuple[Status, int]:
        f, tile = command.fields, self.tile
        if not (f.m and f.k and f.n):
            return Status.ILLEGAL_FIELD, 0
        kb, nb = tile.blocks_k(f.k), tile.blocks_n(f.n)
        for memory, row, walks in (
            (tile.scratchpad, f.a_row, ((f.m, f.a_stride), (kb, 1))),
            (tile.scratchpad, f.w_row, ((f.k, f.w_stride), (nb, 1))),
            (tile.accumulator, f.acc_row, ((nb, f.acc_stride), (f.m, 1))),
        ):
            if not memory.holds(row, *walks):
                return Status.LOCAL_RANGE, memory.last_row(row, *walks)
        return Status.OK, 0

    def begin(self, command: Command) -> None:
        f, tile = command.fields, self.tile
        rows = tile.config.tile.array_rows
        steps = tile.blocks_k(f.k) * tile.blocks_n(f.n) * max(f.m, rows)
        tile.counters.array_steps += steps
        end = self.events.now + TIMING.matmul_start + rows + steps + 2 * rows + TIMING.matmul_drain
        self.accept_at(end)
        self.end_at(end, command, Status.OK)

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
