"""Random microprograms and streams for the processor's benches."""

from typing import Any

import numpy as np
from processor_rig import Rig
from weft.microcode import Word
from weft_hw.formats.table import OPERANDS, Format, units_per_row, units_per_vector
from weft_hw.vector.microcode import REGISTERS, Fill, Op, Source
from weft_sim.golden.instructions import READS_B, SETS_MASK
from weft_sim.golden.streams import Stream

__all__ = ["initialise", "random_program", "random_run", "random_stream"]

#: Operations between loads and stores.
_WORKING = sorted((READS_B - {Op.LOOKUP}) | {Op.ROW, Op.COLUMN}, key=lambda op: op.value)


def initialise(rng: np.random.Generator) -> list[Word]:
    """Something in every register and in the mask."""
    words = []
    for register in range(REGISTERS):
        kind = rng.random()
        if kind < 0.6:
            value = np.float32(rng.normal() * 2.0 ** int(rng.integers(-8, 8))).view(np.uint32)
        elif kind < 0.8:
            value = rng.integers(-200, 200).astype(np.int32).view(np.uint32)
        else:
            value = rng.integers(0, 2**32, dtype=np.uint32)
        words.append(Word(op=Op.MOVE, d=register, source=Source.IMMEDIATE, immediate=int(value)))
    words.append(Word(op=Op.ROW, d=0))
    words.append(Word(op=Op.COLUMN, d=1))
    words.append(Word(op=Op.INT_LESS, a=0, b=1))
    return words


def _working(rng: np.random.Generator, lanes: int, lookups: bool) -> Word:
    op = Op(_WORKING[rng.integers(len(_WORKING))])
    if lookups and rng.random() < 0.05:
        op = Op.LOOKUP
    source = list(Source)[rng.integers(4)] if op in READS_B else Source.REGISTER

    def number(limit: int) -> int:
        return int(rng.integers(limit))

    fields: dict[str, Any] = {"op": op}
    if op not in SETS_MASK:
        fields["d"] = number(REGISTERS)
    fields["a"] = number(REGISTERS)
    if op in READS_B:
        fields["source"] = source
        fields["b"] = number(4 if source is Source.SCALAR else REGISTERS)
        if source is Source.PERMUTED:
            fields["permute_bit"] = number(lanes.bit_length() - 1)
        if source is Source.IMMEDIATE or op is Op.LOOKUP:
            fields["immediate"] = number(2**32)
    return Word(**fields)


def random_program(
    rng: np.random.Generator, lanes: int, streams: list[Stream], *, size: int, lookups: bool = True
) -> list[Word]:
    """A legal program that begins by writing every register: up to three loops, loads and stores of
    the streams."""
    words = initialise(rng)
    targets = [index for index, stream in enumerate(streams) if not stream.accumulator]
    looping = False
    loops = 0
    for _ in range(size):
        kind = rng.random()
        if kind < 0.08 and loops < 3 and not looping:
            words.append(Word(op=Op.LOOP))
            looping, loops = True, loops + 1
        elif kind < 0.2 and looping:
            words.append(Word(op=Op.NEXT))
            looping = False
        elif kind < 0.4:
            words.append(
                Word(
                    op=Op.LOAD,
                    d=int(rng.integers(REGISTERS)),
                    stream=int(rng.integers(len(streams))),
                    fill=list(Fill)[rng.integers(4)],
                    integer=int(rng.integers(2)),
                )
            )
        elif kind < 0.6 and targets:
            words.append(
                Word(
                    op=Op.STORE,
                    a=int(rng.integers(REGISTERS)),
                    stream=targets[rng.integers(len(targets))],
                    integer=int(rng.integers(2)),
                    saturate=int(rng.integers(2)),
                )
            )
        else:
            words.append(_working(rng, lanes, lookups))
    if looping:
        words.append(Word(op=Op.NEXT))
    return [*words, Word(op=Op.END)]


def random_stream(rig: Rig, m: int, n: int, *, near: int | None = None) -> Stream:
    """A stream whose vectors all lie in its memory. With ``near``: not far from that scratchpad
    row, so that streams meet."""
    rng, tile = rig.rng, rig.tile
    blocks = -(-n // tile.array_cols)
    accumulator = rng.random() < 0.25
    if accumulator:
        code = Format.INT32 if rng.random() < 0.4 else Format.FP32
        units, vector, rows = tile.accumulator_rows, 1, 1
    else:
        codes = [Format.INT32, Format.FP32, *(OPERANDS[f] for f in tile.formats if f in OPERANDS)]
        code = codes[rng.integers(len(codes))]
        vector, rows = units_per_vector(tile, code), units_per_row(tile, code)
        units = tile.scratchpad_rows * rows
    while True:
        step = int(rng.integers(-3, 4)) * vector if rng.random() < 0.5 else blocks * vector
        block_step = vector if rng.random() < 0.7 else int(rng.integers(-9, 10))
        corners = [i * step + j * block_step for i in (0, m - 1) for j in (0, blocks - 1)]
        low, high = -min(corners), units - vector - max(corners)
        if low <= high:
            break
    if near is not None and not accumulator:
        low, high = max(low, near * rows), min(high, (near + 8) * rows)
        if low > high:
            low = high = -min(corners)
    pick = rng.random()
    row = high if pick < 0.1 else low if pick < 0.2 else int(rng.integers(low, high + 1))
    return Stream(row, step, block_step, code, int(accumulator))


def random_run(rig: Rig, *, m: int | None = None, n: int | None = None) -> dict[str, Any]:
    """Fields of a legal RUN, without ``start``."""
    rng, lanes = rig.rng, rig.tile.array_cols
    m = int(rng.integers(1, 30)) if m is None else m
    n = int(rng.integers(1, 4 * lanes)) if n is None else n
    near = int(rng.integers(rig.tile.scratchpad_rows)) if rng.random() < 0.5 else None
    count = int(rng.integers(1, 5))
    return {
        "m": m,
        "n": n,
        "streams": [random_stream(rig, m, n, near=near) for _ in range(count)],
        "scalars": [int(value) for value in rng.integers(0, 2**32, 4)],
    }
