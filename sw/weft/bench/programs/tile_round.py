"""Half of a tile's memories, and a round of commands in it while it is made."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Engine, Opcode

from .program import DATA_BYTES, Program

__all__ = ["DONE", "FREE", "RESULTS", "SUMS", "Half", "Round"]

#: Semaphores of a half: who waits for one is always the same engine, the load engine's data having
#: one for each; else commands of another round could take it.
DONE, FREE, SUMS, _LOADED = range(4)
_SEMAPHORES = 8
#: Half of the data is read, the other half written.
RESULTS = DATA_BYTES // 2


@dataclass
class Half:
    """Half of a tile's memories and semaphores."""

    tile: tuple[int, int]
    number: int
    first_row: int
    rows: int
    first_sum: int
    sums: int

    def bit(self, which: int) -> int:
        return 1 << (self.number * _SEMAPHORES + which)


@dataclass
class Round:
    """A round while it is made: where the next rows of the half and the next results go."""

    program: Program
    rng: np.random.Generator
    half: Half
    heap: int
    row: int = 0
    loads: list[dict[str, int]] = field(default_factory=list)

    @property
    def config(self) -> ChipConfig:
        return self.program.config

    def pick(self, *values: int) -> int:
        return int(self.rng.choice(values))

    def up_to(self, limit: int) -> int:
        return int(self.rng.integers(1, max(2, limit + 1)))

    def endpoint(self) -> int:
        return int(self.rng.integers(0, self.config.mesh.memory_endpoints))

    def take(self, rows: int) -> int:
        """The first of so many scratchpad rows of the half."""
        first = self.half.first_row + self.row
        self.row += rows
        assert self.row <= self.half.rows, "a round must fit its half"
        return first

    def address(self, size: int) -> int:
        return int(self.rng.integers(4096, RESULTS - size))

    def load(self, rows: int, row_bytes: int, *, local_stride: int | None = None) -> int:
        """Anything from memory; the scratchpad row where it begins."""
        width = -(-row_bytes // self.config.flit_bytes)
        stride = width if local_stride is None else local_stride
        first = self.take((rows - 1) * stride + width)
        gap = self.pick(0, 3)
        self.loads.append(
            {
                "memory_address": self.address(rows * (row_bytes + gap)), "row_bytes": row_bytes,
                "memory_stride": row_bytes + gap, "rows": rows, "local_row": first,
                "local_stride": stride, "endpoint": self.endpoint(),
            }
        )  # fmt: skip
        return first

    def begin(self, engine: Engine) -> int:
        """Adds the loads; what the first command behind them, on ``engine``, waits for."""
        loaded = self.half.bit(_LOADED + engine.value)
        wait = self.half.bit(FREE)
        for number, fields in enumerate(self.loads):
            last = number == len(self.loads) - 1
            self.add(Opcode.LOAD, wait=wait, signal=loaded if last else 0, **fields)
            wait = 0
        if not self.loads:
            self.add(Opcode.NOP, engine=0, wait=wait, signal=loaded)
        return loaded

    def add(self, opcode: Opcode, **fields: object) -> None:
        self.program.add(opcode, tile=self.half.tile, **fields)

    def store(self, row: int, rows: int, row_bytes: int, stride: int) -> None:
        """Results to memory; the half is free then."""
        self.add(
            Opcode.STORE, memory_address=self.heap, memory_stride=row_bytes + 1, rows=rows,
            row_bytes=row_bytes, local_row=row, local_stride=stride, endpoint=self.endpoint(),
            wait=self.half.bit(DONE), signal=self.half.bit(FREE),
        )  # fmt: skip
        self.heap += rows * (row_bytes + 1) + self.pick(0, 5, 31)
        assert self.heap < DATA_BYTES, "results must fit the memory"
