"""How close the array comes to a shape's own ceiling, operands in the scratchpad, results left in
the accumulator.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from weft_hw.array.matmul import window_cycles as engine_cycles
from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_hw.isa import Engine, Opcode, VectorOutput
from weft_sim.dram import Dram
from weft_sim.golden import matmul_int8

from .commands import pack
from .compiler.cost import window_cycles
from .compiler.layout import layout_of
from .compiler.program import SEMAPHORE_OF
from .compiler.task import ceil_div, split
from .device import Device
from .targets import resolve_config

__all__ = ["array_window"]


def array_window(
    m: int,
    k: int,
    n: int,
    preset: str | ChipConfig = "base",
    target: str = "model",
    seed: int = 0,
    dram: Dram | None = None,
) -> dict[str, Any]:
    """Times the matmul engine alone on ``(m, k) @ (k, n)``, one command for what the accumulator
    holds.

    Returns
    -------
    dict
        ``window_cycles``: from the engine taking a command to its last accumulator write, summed
        over the commands; ``ceiling_cycles``: the engine's own closed form
        (``weft_hw.array.matmul.window_cycles``: fill and pipeline included) of each command,
        summed; ``fraction``: their ratio; ``ideal_cycles`` and ``fraction_of_ideal``: the same
        without the pipeline's registers (``compiler.cost.window_cycles``); ``commands``;
        ``bit_exact``: every result, drained after each command, against the golden.

    Raises
    ------
    ValueError
        if the operands do not fit three quarters of the scratchpad.
    """
    config = resolve_config(preset)
    tile = config.tile
    width, lanes = tile.array_rows, tile.array_cols
    layout = layout_of(config, Format.INT8)
    # scratchpad rows of a row of either operand
    a_stride, b_stride = layout.rows_of(k), layout.rows_of(n)
    bank = tile.scratchpad_rows // tile.scratchpad_banks
    b_row = ceil_div(m * a_stride, bank) * bank
    out_row = 3 * tile.scratchpad_rows // 4
    if b_row + k * b_stride > out_row:
        raise ValueError(
            f"operands of {m} x {k} by {k} x {n} must fit {out_row} scratchpad rows, "
            f"not {b_row + k * b_stride}"
        )
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (m, k), dtype=np.int8)
    b = rng.integers(-128, 128, (k, n), dtype=np.int8)
    wide = tile.accumulator_row_bytes // tile.row_bytes
    capacity = min(tile.accumulator_rows, tile.scratchpad_rows // 4 // wide)
    ceiling = ideal = count = 0
    with Device(target, config, dram=dram) as device:
        sources = device.array(a), device.array(b)
        out = device.zeros((m, n), np.int32)
        loads = [
            _load(sources[0].address, m, k, 0, a_stride),
            _load(sources[1].address, k, n, b_row, b_stride),
        ]
        device.submit(loads, keep=sources).wait()
        device.target.set_tracing(True)
        for m0, rows in split(m, min(m, capacity)):
            for n0, columns in split(n, capacity // rows * lanes, lanes):
                groups = ceil_div(columns, lanes)
                matmul = pack(
                    Opcode.MATMUL, m=rows, k=k, n=columns, acc_stride=rows,
                    a_row=layout.unit(m0 * a_stride), a_stride=layout.unit(a_stride),
                    w_row=layout.unit(b_row) + n0 // lanes, w_stride=layout.unit(b_stride),
                )  # fmt: skip
                device.submit([matmul]).wait()
                device.submit(
                    _drain(
                        rows, columns, groups * wide, out_row, out.address + 4 * (m0 * n + n0), n
                    ),
                    keep=(out,),
                ).wait()
                ceiling += engine_cycles(tile, m=rows, k=k, n=columns)
                ideal += window_cycles(rows, k, columns, width, lanes)
                count += 1
        events = device.target.trace()
        exact = bool(np.array_equal(out.numpy(), matmul_int8(a, b)))
    arrays = events[events["engine"] == Engine.MATMUL.value]
    taken = int(arrays["cycle"][arrays["kind"] == 0].sum())
    window = int(arrays["cycle"][arrays["kind"] == 1].sum()) - taken
    return {
        "bit_exact": exact,
        "window_cycles": window,
        "ceiling_cycles": ceiling,
        "fraction": ceiling / window,
        "ideal_cycles": ideal,
        "fraction_of_ideal": ideal / window,
        "commands": count,
        "m": m,
        "k": k,
        "n": n,
        "preset": config.name,
        "target": target,
        "seed": seed,
    }


def _load(address: int, rows: int, row_bytes: int, local_row: int, local_stride: int) -> bytes:
    return pack(
        Opcode.LOAD, memory_address=address, memory_stride=row_bytes, row_bytes=row_bytes,
        rows=rows, local_row=local_row, local_stride=local_stride,
    )  # fmt: skip


def _drain(rows: int, columns: int, stride: int, out_row: int, address: int, n: int) -> list[bytes]:
    """Accumulators of one command to memory as int32."""
    ready = 1 << SEMAPHORE_OF[Engine.VECTOR, Engine.STORE]
    vector = pack(
        Opcode.VECTOR, signal=ready, m=rows, n=columns, acc_stride=rows,
        out_row=out_row, out_stride=stride, output=VectorOutput.INT32,
    )  # fmt: skip
    store = pack(
        Opcode.STORE, wait=ready, memory_address=address, memory_stride=4 * n,
        row_bytes=4 * columns, rows=rows, local_row=out_row, local_stride=stride,
    )  # fmt: skip
    return [vector, store]
