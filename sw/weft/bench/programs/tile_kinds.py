"""Rounds of every kind of command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.formats.table import OPERANDS, Format, units_per_row, units_per_vector
from weft_hw.isa import Engine, Opcode, VectorOutput
from weft_hw.vector.microcode import Op, Source

from ...microcode import Word, encode
from .tile_round import DONE, SUMS, Round

__all__ = ["kinds_of"]


def _product(r: Round) -> None:
    """Operands of a random format, their product, the sums as they are."""
    tile, side = r.config.tile, r.config.tile.array_rows
    name = str(r.rng.choice([name for name in tile.formats if name in OPERANDS]))
    code = OPERANDS[name]
    scaled = "mxfp8" in tile.formats and name.startswith("fp8") and bool(r.rng.integers(0, 2))
    per_row = units_per_row(tile, code)
    beats = units_per_vector(tile, Format.INT32)
    m, k, n = r.up_to(3 * side), r.up_to(5 * side), r.up_to(2 * side)
    kb, nb = -(-k // side), -(-n // side)
    # a row of units, as many as there are blocks
    a_rows, w_rows = -(-m * kb // per_row), -(-k * nb // per_row)
    a = r.load(1, a_rows * r.config.flit_bytes)
    w = r.load(1, w_rows * r.config.flit_bytes)
    scales = {}
    if scaled:
        lines = -(-m // r.config.flit_bytes)
        groups = -(-k // 32)
        int8 = units_per_row(tile, Format.INT8)
        scales = {
            "scaled": 1, "a_scale_row": r.load(1, groups * lines * r.config.flit_bytes),
            "a_scale_stride": lines, "w_scale_stride": nb,
            "w_scale_row": int8 * r.load(1, -(-groups * nb // int8) * r.config.flit_bytes),
        }  # fmt: skip
    out = r.take(m * nb * beats)
    wait = r.begin(Engine.MATMUL)
    matmul = {
        "m": m, "k": k, "n": n, "a_row": a * per_row, "w_row": w * per_row, "a_stride": kb,
        "w_stride": nb, "acc_row": r.half.first_sum, "acc_stride": m, "format": code, **scales,
    }  # fmt: skip
    twice = bool(r.rng.integers(0, 2))
    r.add(Opcode.MATMUL, wait=wait, signal=0 if twice else r.half.bit(SUMS), **matmul)
    if twice:
        r.add(Opcode.MATMUL, accumulate=1, signal=r.half.bit(SUMS), **matmul)
    r.add(
        Opcode.VECTOR, m=m, n=n, acc_row=r.half.first_sum, acc_stride=m, out_row=out,
        out_stride=nb * beats, output=VectorOutput.INT32, wait=r.half.bit(SUMS),
        signal=r.half.bit(DONE),
    )  # fmt: skip
    r.store(out, m, 4 * n, nb * beats)


def _tensor(r: Round) -> None:
    """A load with loops and padding, or a transposition, and a fill."""
    flit, rows = r.config.flit_bytes, r.up_to(9)
    more, row_bytes = r.pick(0, 1, 4), r.up_to(5 * flit)
    width = -(-row_bytes // flit)
    if r.config.tile.transpose and r.rng.integers(0, 2):
        code = r.pick(1, 2, 3)
        size = 1 << (code - 1)
        columns, count = r.up_to(90), r.up_to(40)
        width = -(-count * size // flit)
        first = r.take(columns * width)
        r.loads.append(
            {
                "memory_address": r.address(count * (columns * size + 7)), "transpose": code,
                "memory_stride": columns * size + 7, "row_bytes": columns * size, "rows": count,
                "local_row": first, "local_stride": width, "endpoint": r.endpoint(),
            }
        )  # fmt: skip
        shape = columns, count * size, width
    else:
        first = r.take(rows * (more + 1) * width)
        padded = r.pick(0, 1)
        r.loads.append(
            {
                "memory_address": r.address(20_000) + 2000, "memory_stride": row_bytes + 1,
                "row_bytes": row_bytes, "rows": rows, "local_row": first, "local_stride": width,
                "more_1": more, "memory_stride_1": int(r.rng.integers(-400, 900)),
                "local_stride_1": rows * width, "padded": padded, "pad_y": r.pick(-2, 0, 1),
                "pad_x": r.pick(-2, 0, 1), "step_y": 1, "step_x": r.pick(1, 2), "height": 3,
                "width": r.up_to(8), "pad_value": int(r.rng.integers(0, 1 << 32)),
                "endpoint": r.endpoint(),
            }
        )  # fmt: skip
        shape = rows * (more + 1), row_bytes, width
    filled = r.take(3)
    wait = r.begin(Engine.LOAD)
    r.add(Opcode.FILL, row=filled, rows=1, columns=3, value=7, wait=wait, signal=r.half.bit(DONE))
    r.store(first, shape[0], shape[1], shape[2])


def _gather(r: Round) -> None:
    """Rows of memory by indices."""
    count, row_bytes = r.up_to(20), r.up_to(3 * r.config.flit_bytes)
    limit, width = 40, -(-row_bytes // r.config.flit_bytes)
    indices = r.rng.integers(0, limit, count, np.uint32)
    place = 2048 + 4 * r.pick(0, 9)
    r.program.memory[place : place + 4 * count] = indices.view(np.uint8)
    index_row = r.load(1, 4 * count)
    r.loads[-1]["memory_address"] = place
    out = r.take(count * width)
    wait = r.begin(Engine.LOAD)
    r.add(
        Opcode.GATHER, memory_address=r.address(200 * limit), memory_stride=r.up_to(150),
        row_bytes=row_bytes, rows=count, local_row=out, local_stride=width, index_row=index_row,
        limit=limit, endpoint=r.endpoint(), wait=wait, signal=r.half.bit(DONE),
    )  # fmt: skip
    r.store(out, count, row_bytes, width)


def _microprogram(r: Round) -> None:
    """A matrix through a microprogram: scaled, added to itself, written in a random format."""
    tile, side = r.config.tile, r.config.tile.array_cols
    codes = [Format.FP32, Format.INT32, *(OPERANDS[n] for n in tile.formats if n in OPERANDS)]
    source, target = (codes[int(r.rng.integers(0, len(codes)))] for _ in range(2))
    m, n = r.up_to(25), r.up_to(3 * side)
    nb = -(-n // side)

    def rows_of(code: Format) -> int:
        return -(-m * nb * units_per_vector(tile, code) // units_per_row(tile, code))

    words = np.array(
        [
            _word(Op.LOOP), _word(Op.LOAD, d=1), _word(Op.MULTIPLY, d=2, a=1, source=Source.SCALAR),
            *[_word(Op.ADD, d=3, a=2, b=1)] * r.up_to(4), _word(Op.STORE, a=3, stream=1),
            _word(Op.NEXT), _word(Op.END),
        ],
        np.uint64,
    )  # fmt: skip
    raw = words.view(np.uint8)
    place = 3072 + 256 * r.half.number
    r.program.memory[place : place + raw.size] = raw
    code_row = r.load(1, raw.size)
    r.loads[-1]["memory_address"] = place
    first = r.load(1, rows_of(source) * r.config.flit_bytes)
    out = r.take(rows_of(target))
    wait = r.begin(Engine.VECTOR)
    start = 64 * r.half.number
    r.add(Opcode.PROGRAM, row=code_row, count=len(words), start=start, wait=wait)
    streams: dict[str, object] = {}
    for number, (code, row) in enumerate(((source, first), (target, out))):
        step = units_per_vector(tile, code)
        streams |= {
            f"stream{number}_row": row * units_per_row(tile, code),
            f"stream{number}_row_stride": nb * step, f"stream{number}_block_stride": step,
            f"stream{number}_format": code,
        }  # fmt: skip
    scalar = int(np.float32(r.rng.standard_normal()).view(np.uint32))
    r.add(Opcode.RUN, m=m, n=n, start=start, scalar0=scalar, signal=r.half.bit(DONE), **streams)
    r.store(out, 1, rows_of(target) * r.config.flit_bytes, 1)


def _word(op: Op, **fields: Any) -> int:
    """One microinstruction, encoded."""
    return int(encode([Word(op=op, **fields)])[0])


def _to_tiles(r: Round) -> None:
    """Rows to the own tile's other rows through the network, and back to memory."""
    flit, mesh = r.config.flit_bytes, r.config.mesh
    rows, row_bytes = r.up_to(12), r.up_to(3 * flit)
    width = -(-row_bytes // flit)
    first, out = r.load(rows, row_bytes), r.take(rows * width)
    wait = r.begin(Engine.STORE)
    x, y = r.half.tile
    assert x < mesh.cols
    r.add(
        Opcode.STORE, to_tiles=1, x_first=x, x_last=x, y_first=y, y_last=y, rows=rows,
        row_bytes=row_bytes, local_row=first, local_stride=width, remote_row=out,
        remote_stride=width, remote_signal=r.half.bit(DONE), wait=wait,
    )  # fmt: skip
    r.store(out, rows, row_bytes, width)


def kinds_of(config: ChipConfig) -> list[Callable[[Round], None]]:
    """What a round can be on a chip, the likelier ones more than once."""
    kinds: list[Callable[[Round], None]] = [_product, _product, _tensor, _gather]
    if config.tile.has_float:
        kinds += [_microprogram, _microprogram]
    if config.mesh.tiles > 1:
        kinds.append(_to_tiles)
    return kinds
