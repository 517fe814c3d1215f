"""Random programs of the complete tile: rounds of every kind of command, joined by semaphores.

A round uses half of a tile's memories (``Half``) and waits until the round before it in that half
has stored its results.
"""

from __future__ import annotations

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Opcode

from .program import DATA_BYTES, Program
from .tile_kinds import kinds_of
from .tile_round import FREE, RESULTS, Half, Round

__all__ = ["tile_program"]

#: Rows at the end of every scratchpad that are given, and as many that are got.
_SHARED_ROWS = 40
#: Scratchpad rows, and blocks of accumulator rows, that are enough for any round.
_ROUND_ROWS, _ROUND_BLOCKS = 1024, 6
#: Semaphores that no half uses: rows are there to be given; they have been got.
_GIVE, _GOT = 1 << 7, 1 << 15


def _share(program: Program, rng: np.random.Generator, first: int, heap: int) -> int:
    """Rows from memory to a tile, from there to a rectangle of tiles, from each back to memory."""
    config = program.config
    mesh, flit = config.mesh, config.flit_bytes
    x, y = int(rng.integers(0, mesh.cols)), int(rng.integers(0, mesh.rows))
    x_first, x_last = sorted(int(value) for value in rng.integers(0, mesh.cols, 2))
    y_first, y_last = sorted(int(value) for value in rng.integers(0, mesh.rows, 2))
    rows = int(rng.integers(1, _SHARED_ROWS + 1))
    got = first + _SHARED_ROWS
    program.add(
        Opcode.LOAD, tile=(x, y), memory_address=int(rng.integers(0, 4096)), row_bytes=rows * flit,
        rows=1, local_row=first, local_stride=rows, signal=_GIVE,
    )  # fmt: skip
    program.add(
        Opcode.STORE, tile=(x, y), to_tiles=1, x_first=x_first, x_last=x_last, y_first=y_first,
        y_last=y_last, rows=rows, row_bytes=flit, local_row=first, local_stride=1, remote_row=got,
        remote_stride=1, remote_signal=_GOT, wait=_GIVE,
    )  # fmt: skip
    for at_y in range(y_first, y_last + 1):
        for at_x in range(x_first, x_last + 1):
            program.add(
                Opcode.STORE, tile=(at_x, at_y), memory_address=heap, row_bytes=rows * flit,
                rows=1, local_row=got, wait=_GOT,
                endpoint=int(rng.integers(0, mesh.memory_endpoints)),
            )  # fmt: skip
            heap += rows * flit
    return heap


def tile_program(config: ChipConfig, rng: np.random.Generator, rounds: int = 3) -> Program:
    """So many rounds of any kind on every tile, two in flight a tile; before them, on a mesh, rows
    that one tile gives to a rectangle of them. On a chip of one tile every second program has both
    rounds in the same banks.
    """
    program = Program(config, f"{rounds} rounds of commands a tile")
    program.memory[:] = rng.integers(0, 256, DATA_BYTES, np.uint8)
    # numbers of ordinary size among the wild ones
    tame = rng.standard_normal(RESULTS // 8).astype(np.float32)
    program.memory[RESULTS // 2 : RESULTS] = tame.view(np.uint8)
    t = config.tile
    # what no round has written must not be stored: everything is filled first
    tiles = [(x, y) for y in range(config.mesh.rows) for x in range(config.mesh.cols)]
    halves = {}
    heap = RESULTS
    rows, sums = t.scratchpad_rows // 2, t.accumulator_rows // 2
    if len(tiles) > 1:
        rows -= _SHARED_ROWS
        heap = _share(program, rng, 2 * rows, heap)
    first = 0
    if len(tiles) == 1 and rng.random() < 0.5:
        rows, sums = min(rows, _ROUND_ROWS), min(sums, _ROUND_BLOCKS * t.array_rows)
        first = int(rng.integers(0, t.scratchpad_rows - 2 * rows + 1))
    for tile in tiles:
        halves[tile] = [Half(tile, i, first + i * rows, rows, i * sums, sums) for i in (0, 1)]
        signal = halves[tile][0].bit(FREE) | halves[tile][1].bit(FREE)
        program.add(Opcode.FILL, tile=tile, row=first, rows=1, columns=2 * rows, signal=signal)
    kinds = kinds_of(config)
    for number in range(rounds):
        for tile in tiles:
            made = Round(program, rng, halves[tile][number % 2], heap)
            kinds[int(rng.integers(0, len(kinds)))](made)
            heap = made.heap
    return program
