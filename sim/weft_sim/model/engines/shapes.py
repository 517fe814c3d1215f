"""What a matmul command asks of the array: the walks of its operands, sums and scales."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..local import LocalMemory
from .traffic import BlockRun

__all__ = ["MatmulShape", "ScaleRows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleRows:
    """Where the block scales of a command lie. ``per_row``: matrix rows whose scales a scratchpad
    row holds; ``units``: int8 units of one; ``blocks``: blocks along K that share scales.
    """

    a_row: int
    a_stride: int
    w_row: int
    w_stride: int
    per_row: int
    units: int
    blocks: int

    def a(self, k: int, chunk: int) -> int:
        """Scratchpad row of activations' scales."""
        return self.a_row + k // self.blocks * self.a_stride + chunk

    def w(self, n: int, k: int) -> int:
        """Scratchpad row of weights' scales."""
        return (self.w_row + k // self.blocks * self.w_stride + n) // self.units


@dataclass(frozen=True, slots=True, kw_only=True)
class MatmulShape:
    """The walks of a command; ``pad`` is the scratchpad in units of its operands."""

    pad: LocalMemory
    m: int
    k: int
    n: int
    k_blocks: int
    n_blocks: int
    a_row: int
    a_stride: int
    w_row: int
    w_stride: int
    acc_row: int
    acc_stride: int
    accumulate: bool
    scales: ScaleRows | None = None

    @property
    def blocks(self) -> int:
        return self.k_blocks * self.n_blocks

    def columns_are_close(self, rows: int, distance: int) -> bool:
        """Whether a column of blocks, ``max(m, rows)`` cycles after the one before it, would add to
        rows updated less than ``distance`` cycles ago.
        """
        apart = max(self.m, rows) - self.acc_stride
        return self.accumulate and 0 < self.acc_stride < self.m and apart < distance

    def rows(self, first: int, count: int) -> MatmulShape:
        """The same for some of its matrix rows."""
        return replace(
            self,
            m=count,
            a_row=self.a_row + first * self.a_stride,
            acc_row=self.acc_row + first,
        )

    def a_banks(self) -> int:
        """Banks of its activations, a bit each."""
        last = self.a_row + (self.m - 1) * self.a_stride + self.k_blocks - 1
        return self.pad.banks_of(self.a_row, last)

    def w_banks(self) -> int:
        """Banks of its weights."""
        last = self.w_row + (self.k - 1) * self.w_stride + self.n_blocks - 1
        return self.pad.banks_of(self.w_row, last)

    def acc_banks(self, acc: LocalMemory) -> int:
        """Banks of its sums."""
        last = self.acc_row + (self.n_blocks - 1) * self.acc_stride + self.m - 1
        return acc.banks_of(self.acc_row, last)

    def run(
        self, start: int, period: int, blocks: int, banks: tuple[int, int], first_block: int = 0
    ) -> BlockRun:
        """Its blocks from ``first_block`` on, as traffic in ``banks`` of both memories."""
        return BlockRun(
            pad=self.pad,
            pad_banks=banks[0],
            acc_banks=banks[1],
            start=start,
            period=period,
            blocks=blocks,
            m=self.m,
            k_blocks=self.k_blocks,
            first_block=first_block,
            a_row=self.a_row,
            a_stride=self.a_stride,
            w_row=self.w_row,
            w_stride=self.w_stride,
            acc_row=self.acc_row,
            acc_stride=self.acc_stride,
            adds=self.accumulate,
        )
