"""Runs a microprogram on numpy arrays with the golden interpreter: for tests and references."""

from __future__ import annotations

from collections.abc import Mapping

import ml_dtypes
import numpy as np
from weft_hw.config import TileConfig
from weft_hw.formats.table import BITS, Format, units_per_row, units_per_vector
from weft_hw.isa import Status
from weft_sim.golden.microprogram import run_microprogram
from weft_sim.golden.streams import Stream

from .program import Program

__all__ = ["DTYPES", "emulate"]

#: Format of an array's dtype.
DTYPES = {
    np.dtype(np.int8): Format.INT8,
    np.dtype(ml_dtypes.int4): Format.INT4,
    np.dtype(ml_dtypes.bfloat16): Format.BF16,
    np.dtype(ml_dtypes.float8_e4m3fn): Format.FP8E4M3,
    np.dtype(ml_dtypes.float8_e5m2): Format.FP8E5M2,
    np.dtype(np.int32): Format.INT32,
    np.dtype(np.float32): Format.FP32,
}
_FORMATS = ("int8", "int4", "bf16", "fp8e4m3", "fp8e5m2")
_DEFAULT_LANES = 16


def emulate(
    program: Program,
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.dtype | type],
    *,
    scalars: Mapping[str, float | int] | None = None,
    lanes: int | None = None,
) -> dict[str, np.ndarray]:
    """What a program writes.

    Parameters
    ----------
    program : Program
    inputs : mapping of str to (M, N) or (N,) ndarray
        its sources by name, of a dtype in ``DTYPES``; a vector goes to every row.
    outputs : mapping of str to dtype
        its targets by name.
    scalars : mapping of str to number, optional
        an int is taken as int32, a float as fp32.
    lanes : int, optional
        C; if left out that of the program, else 16.

    Returns
    -------
    dict of str to (M, N) ndarray

    Raises
    ------
    ValueError
        if a stream or scalar is not supplied, or the program fails.
    """
    lanes = lanes or program.lanes or _DEFAULT_LANES
    missing = {*program.streams, *program.scalars} - {*inputs, *outputs, *(scalars or {})}
    if missing:
        raise ValueError(f"{program.name} must be given {', '.join(sorted(missing))} too")
    m = max(array.shape[0] if array.ndim == 2 else 1 for array in inputs.values())
    n = max(array.shape[-1] for array in inputs.values())
    kinds = {name: np.dtype(dtype) for name, dtype in outputs.items()}
    kinds |= {name: array.dtype for name, array in inputs.items()}
    tile = _tile(lanes, m, n, [DTYPES[kinds[name]] for name in program.streams])
    scratchpad = np.zeros((tile.scratchpad_rows, tile.row_bytes), np.uint8)
    blocks, row = -(-n // lanes), 0
    streams, places = [], {}
    for name in program.streams:
        code = DTYPES[kinds[name]]
        vector, units = units_per_vector(tile, code), units_per_row(tile, code)
        length = -(-blocks * vector // units)
        rows = m if name in kinds and (name in outputs or inputs[name].ndim == 2) else 1
        place = scratchpad[row : row + rows * length].reshape(rows, -1)
        if name in inputs:
            raw = _to_bytes(np.atleast_2d(inputs[name]), blocks * lanes)
            place[:, : raw.shape[1]] = raw
        places[name] = place
        streams.append(Stream(row * units, length * units * (rows > 1), vector, code))
        row += rows * length
    status = run_microprogram(
        tile,
        np.concatenate([program.words, np.zeros(256 - len(program), np.uint64)]),
        scratchpad,
        np.zeros((tile.accumulator_rows, lanes), np.int32),
        m=m,
        n=n,
        start=0,
        streams=streams,
        scalars=[_bits((scalars or {})[name]) for name in program.scalars] + [0] * 4,
    )
    if status.status is not Status.OK:
        raise ValueError(f"{program.name} must end well, not with {status}")
    return {name: _from_bytes(places[name], kinds[name], blocks * lanes)[:, :n] for name in outputs}


def _tile(lanes: int, m: int, n: int, codes: list[Format]) -> TileConfig:
    """A tile of ``lanes`` whose scratchpad has room for M x N of each format."""
    row_bytes = 2 * lanes
    blocks = -(-n // lanes)
    rows = sum(m * -(-blocks * BITS[code] * lanes // (8 * row_bytes)) for code in codes)
    kib = 1 << max(6, (rows * row_bytes // 1024).bit_length())
    return TileConfig(
        array_rows=lanes, array_cols=lanes, formats=_FORMATS, scratchpad_kib=kib,
        accumulator_kib=lanes,
    )  # fmt: skip


def _bits(number: float | int) -> int:
    if isinstance(number, int):
        return number & 0xFFFFFFFF
    return int(np.float32(number).view(np.uint32))


def _to_bytes(array: np.ndarray, columns: int) -> np.ndarray:
    whole = np.zeros((array.shape[0], columns), array.dtype)
    whole[:, : array.shape[1]] = array
    if array.dtype != ml_dtypes.int4:
        return whole.view(np.uint8)
    nibbles = whole.astype(np.int8).view(np.uint8)
    return (nibbles[:, 0::2] & 0x0F) | (nibbles[:, 1::2] << 4)


def _from_bytes(raw: np.ndarray, dtype: np.dtype, columns: int) -> np.ndarray:
    if dtype != ml_dtypes.int4:
        return np.array(raw[:, : columns * dtype.itemsize]).view(dtype)
    pairs = np.stack([raw << 4, raw & 0xF0], axis=-1).reshape(len(raw), -1)[:, :columns]
    return (pairs.view(np.int8) >> 4).astype(dtype)
