"""Random programs of int8 layers: rounds of load, matmul, requantise, store on every tile."""

from __future__ import annotations

from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Opcode, VectorOutput

from .program import DATA_BYTES, Program

__all__ = ["layer_program"]

#: Semaphores of a slot: operands, parameters, results.
_LOADED_A, _LOADED_W, _LOADED_P, _SUMS, _RESULTS, _FREE = range(6)
_SLOT_SEMAPHORES = 6


class _Slot:
    """Half a tile's memories and semaphores, used by every second round."""

    def __init__(self, config: ChipConfig, number: int, aligned: bool) -> None:
        tile = config.tile
        half = tile.scratchpad_rows // 2
        self.base = number * half
        self.quarters = [self.base + i * half // 4 for i in range(4)]
        self.quarter = half // 4
        self.acc_rows = tile.accumulator_rows // 2
        self.acc_base = number * self.acc_rows
        self.semaphores = number * _SLOT_SEMAPHORES
        self.used = False
        if aligned:
            # a bank each for activations, weights and results; both slots share them
            bank = tile.scratchpad_rows // tile.scratchpad_banks
            self.quarter = bank // 2
            self.quarters = [i * bank + number * self.quarter for i in range(4)]

    def bit(self, which: int) -> int:
        return 1 << (self.semaphores + which)


def layer_program(
    config: ChipConfig, rng: np.random.Generator, rounds: int = 3, *, aligned: bool = False
) -> Program:
    """Rounds of load, matmul, vector, store on every tile, two in flight a tile, sizes at random.

    ``aligned``: operands and results lie in banks of their own, so that engines do not meet.
    """
    program = Program(config, f"{rounds} int8 layers a tile")
    program.memory[:] = rng.integers(0, 256, DATA_BYTES, np.uint8)
    # scales that give results of all sizes, whatever row they are read from
    scales = np.float32(2.0) ** rng.integers(-16, 2, 1024).astype(np.float32)
    program.memory[:4096] = scales.view(np.uint8)
    tiles = [(x, y) for y in range(config.mesh.rows) for x in range(config.mesh.cols)]
    slots = {tile: [_Slot(config, 0, aligned), _Slot(config, 1, aligned)] for tile in tiles}
    heap = 8192
    for number in range(rounds):
        for tile in tiles:
            heap = _round(program, rng, tile, slots[tile][number % 2], heap)
    return program


def _round(
    program: Program,
    rng: np.random.Generator,
    tile: tuple[int, int],
    slot: _Slot,
    heap: int,
) -> int:
    config = program.config
    t = config.tile
    rows, width = t.array_rows, t.row_bytes
    parts = t.accumulator_row_bytes // width

    def size(limit: int) -> int:
        return int(rng.integers(1, max(2, limit + 1)))

    n = size(min(3 * rows, slot.quarter // (2 * parts) * rows))
    nb = -(-n // rows)
    k = size(min(4 * rows, slot.quarter // nb))
    kb = -(-k // rows)
    int32 = bool(rng.integers(0, 2))
    out_rows = nb * (parts if int32 else 1)
    m = size(min(slot.quarter // kb, slot.quarter // out_rows, slot.acc_rows // nb, 5 * rows))
    endpoint = int(rng.integers(0, config.mesh.memory_endpoints))
    a_row, w_row, p_row, o_row = slot.quarters
    free = slot.bit(_FREE) if slot.used else 0
    slot.used = True

    def address(count: int) -> int:
        return int(rng.integers(4096, DATA_BYTES // 2 - count))

    stride = k + int(rng.integers(0, 9))
    common: dict[str, Any] = {"tile": tile, "endpoint": endpoint}
    program.add(
        Opcode.LOAD, memory_address=address(m * stride), memory_stride=stride, row_bytes=k, rows=m,
        local_row=a_row, local_stride=kb, wait=free, signal=slot.bit(_LOADED_A), **common,
    )  # fmt: skip
    program.add(
        Opcode.LOAD, memory_address=address(k * n), memory_stride=n, row_bytes=n, rows=k,
        local_row=w_row, local_stride=nb, signal=slot.bit(_LOADED_W), **common,
    )  # fmt: skip
    constants = -(-4 * n // width)
    program.add(
        Opcode.LOAD, memory_address=0, memory_stride=0, row_bytes=4 * n, rows=1,
        local_row=p_row, local_stride=0, signal=slot.bit(_LOADED_P), **common,
    )  # fmt: skip
    program.add(
        Opcode.MATMUL, tile=tile, m=m, k=k, n=n, a_row=a_row, w_row=w_row, acc_row=slot.acc_base,
        a_stride=kb, w_stride=nb, acc_stride=m,
        wait=slot.bit(_LOADED_A) | slot.bit(_LOADED_W), signal=slot.bit(_SUMS),
    )  # fmt: skip
    residual = bool(rng.integers(0, 2)) and nb <= kb
    program.add(
        Opcode.VECTOR, tile=tile, m=m, n=n, acc_row=slot.acc_base, acc_stride=m, out_row=o_row,
        out_stride=out_rows, bias_row=p_row, scale_row=p_row, residual_row=a_row,
        residual_stride=kb, zero_point=int(rng.integers(-128, 128)), clamp_min=-128,
        clamp_max=int(rng.integers(0, 128)),
        output=VectorOutput.INT32 if int32 else VectorOutput.INT8,
        use_bias=int(rng.integers(0, 2)), use_residual=int(residual),
        wait=slot.bit(_SUMS) | slot.bit(_LOADED_P), signal=slot.bit(_RESULTS),
    )  # fmt: skip
    assert constants <= slot.quarter
    row_bytes = n * (4 if int32 else 1)
    gap = int(rng.integers(0, 9))
    where = DATA_BYTES // 2 + heap
    heap += m * (row_bytes + gap) + int(rng.integers(0, 64))
    assert where + m * (row_bytes + gap) < DATA_BYTES
    program.add(
        Opcode.STORE, memory_address=where, memory_stride=row_bytes + gap, row_bytes=row_bytes,
        rows=m, local_row=o_row, local_stride=out_rows, wait=slot.bit(_RESULTS),
        signal=slot.bit(_FREE), **common,
    )  # fmt: skip
    return heap
