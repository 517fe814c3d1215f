"""Every format on the model's array: against the order of additions written out, and on rows that
hold several vectors.
"""

import time

import ml_dtypes
import numpy as np
import pytest
from model_rig import ModelRig
from weft.commands import pack
from weft_hw.config import TileConfig
from weft_hw.formats.table import Format, units_per_row
from weft_hw.isa import Opcode, Status, VectorOutput
from weft_hw.presets import preset
from weft_sim.golden import (
    decode_operands,
    matmul_float,
    requantise,
    scale_operands,
    vector_int32,
)
from weft_sim.model.operands import operand_values, scaled_values
from weft_sim.model.products import multiply_float

MICRO = preset("micro").tile
TYPES = {
    Format.BF16: ml_dtypes.bfloat16,
    Format.FP8E4M3: ml_dtypes.float8_e4m3fn,
    Format.FP8E5M2: ml_dtypes.float8_e5m2,
}
NAN = 0x7FC00000


def flush(value: np.float32) -> np.float32:
    return np.copysign(np.float32(0), value) if abs(value) < 2.0**-126 else value


def one_sum(a: np.ndarray, w: np.ndarray, initial: np.float32 | None) -> int:
    """Bits of one accumulator: step by step, every step rounded and flushed."""
    rows = MICRO.array_rows
    total = None if initial is None else flush(initial)
    with np.errstate(all="ignore"):
        for first in range(0, len(a), rows):
            block = np.float32(0)
            for k in range(first, first + rows):
                product = flush(np.float32(a[k]) * np.float32(w[k])) if k < len(a) else 0
                block = flush(block + np.float32(product))
            total = block if total is None else flush(total + block)
    assert total is not None
    return NAN if np.isnan(total) else int(total.view(np.uint32))


def put_units(pad: np.ndarray, code: Format, unit: int, vectors: np.ndarray) -> None:
    """(..., bytes of a vector) uint8 from a unit of a format on."""
    view = pad.reshape(len(pad) * units_per_row(MICRO, code), -1)
    lines = vectors.reshape(-1, view.shape[1])
    view[unit : unit + len(lines)] = lines


def raw_matrix(rng: np.random.Generator, code: Format, rows: int, cols: int, wild: bool):
    """(rows, whole vectors) uint8; ``wild``: any bits, NaN and infinities among them."""
    vectors = -(-cols // MICRO.array_cols)
    if wild or code not in TYPES:
        bits = {Format.INT4: 4, Format.BF16: 16}.get(code, 8)
        return rng.integers(0, 256, (rows, vectors * MICRO.array_cols * bits // 8), np.uint8)
    values = rng.standard_normal((rows, vectors * MICRO.array_cols)).astype(TYPES[code])
    return values.view(np.uint8).reshape(rows, -1)


@pytest.mark.parametrize("wild", [False, True])
@pytest.mark.parametrize("accumulate", [0, 1])
@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (8, 8, 8), (5, 19, 11), (3, 70, 8)])
@pytest.mark.parametrize("scaled", [0, 1])
@pytest.mark.parametrize("code", [Format.INT8, Format.INT4, *TYPES])
def test_matmul(
    code: Format, scaled: int, m: int, k: int, n: int, accumulate: int, wild: bool
) -> None:
    if scaled and code not in (Format.FP8E4M3, Format.FP8E5M2):
        return
    rig = ModelRig("micro")
    rng = np.random.default_rng([code.value, m, k, n, wild])
    side = MICRO.array_rows
    kb, nb, per_row = -(-k // side), -(-n // side), units_per_row(MICRO, code)
    pad, acc = rig.tile.scratchpad.data, rig.tile.accumulator.data
    pad[:] = 0x55  # what lies beyond K and N must not count
    raw_a, raw_w = raw_matrix(rng, code, m, k, wild), raw_matrix(rng, code, k, n, wild)
    a_row, w_row = 3, 100 * per_row + 1
    put_units(pad, code, a_row, raw_a)
    put_units(pad, code, w_row, raw_w)
    acc[:] = rng.standard_normal(acc.shape).astype(np.float32).view(np.int32)
    if wild:
        acc[:] = rng.integers(-(2**31), 2**31, acc.shape, np.int32)
    before = acc.copy()
    blocks = -(-k // 32)
    low, high = (0, 256) if wild else (120, 134)
    a_scale = rng.integers(low, high, (blocks, MICRO.row_bytes), np.uint8)
    w_scale = rng.integers(low, high, (blocks, nb * side), np.uint8)
    pad[1000 : 1000 + 2 * blocks : 2] = a_scale
    put_units(pad, Format.INT8, 4001, w_scale)
    rig.run(
        pack(
            Opcode.MATMUL, m=m, k=k, n=n, a_row=a_row, a_stride=kb, w_row=w_row, w_stride=nb,
            acc_row=5, acc_stride=m + 1, accumulate=accumulate, format=code, scaled=scaled,
            a_scale_row=1000, a_scale_stride=2, w_scale_row=4001, w_scale_stride=nb,
        )
    )  # fmt: skip
    a = operand_values(raw_a, code)[:, :k].copy()
    w = operand_values(raw_w, code).copy()
    if scaled:
        a = scaled_values(a, np.repeat(a_scale[:, :m].T, 32, axis=1)[:, :k])
        w = scaled_values(w, np.repeat(w_scale, 32, axis=0)[:k])
    w[:, n:] = 0
    want = before.copy()
    for block in range(nb):
        for row in range(m):
            place = 5 + block * (m + 1) + row
            for lane in range(side):
                column = block * side + lane
                if code in TYPES:
                    initial = before.view(np.float32)[place, lane] if accumulate else None
                    value = one_sum(a[row], w[:, column], initial)
                else:
                    value = int(a[row].astype(np.int64) @ w[:, column].astype(np.int64))
                    value += int(before[place, lane]) if accumulate else 0
                want.view(np.uint32)[place, lane] = value & 0xFFFFFFFF
    np.testing.assert_array_equal(acc.view(np.uint32), want.view(np.uint32))


def test_int4_is_packed_low_half_first() -> None:
    values = operand_values(np.array([[0x7F, 0x80]], np.uint8), Format.INT4)
    assert values.tolist() == [[-1, 7, 0, -8]]


def test_scales_are_powers_of_two() -> None:
    values = np.array([[1.5, -1.5, 2.0**15, np.inf, -0.0]], np.float32)
    scales = np.array([[127, 0, 254, 0, 3]], np.uint8)
    got = scaled_values(values, scales)
    assert got.tolist() == [[1.5, -1.5 * 2.0**-127 * 0, np.inf, np.inf, 0.0]]
    assert np.signbit(got[0, [1, 4]]).all(), "zeros keep their sign"
    assert np.isnan(scaled_values(values, np.full((1, 5), 255, np.uint8))).all()


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_of_adding_are_one(seed: int) -> None:
    """Values large enough for the fast way give what the careful way gives."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**16, (2, 40, 40), np.uint16)
    # exponents about the bound below which the fast way is not taken
    bits = bits & 0x80FF | rng.integers(60, 90, bits.shape, np.uint16) << 7
    a, w = (operand_values(part.view(np.uint8), Format.BF16) for part in bits)
    initial = rng.standard_normal((40, 40)).astype(np.float32)
    small = a.copy()
    small[0, 0] = 2.0**-126  # the careful way for all
    fast, careful = multiply_float(a, w, 8, initial), multiply_float(small, w, 8, initial)
    np.testing.assert_array_equal(fast[1:].view(np.uint32), careful[1:].view(np.uint32))


@pytest.mark.parametrize("wild", [False, True])
@pytest.mark.parametrize("code", list(TYPES))
def test_the_model_is_the_golden(code: Format, wild: bool) -> None:
    """Decoders, scales and sums of the model are those of the goldens, bit for bit."""
    rng = np.random.default_rng([code.value, wild])
    raw_a, raw_w = (raw_matrix(rng, code, *shape, wild) for shape in ((21, 45), (45, 24)))
    low, high = (0, 256) if wild else (100, 140)
    operands = []
    for raw in (raw_a, raw_w):
        mine, theirs = operand_values(raw, code), decode_operands(raw, code)
        if code is not Format.BF16:
            scales = rng.integers(low, high, mine.shape, np.uint8)
            mine, theirs = scaled_values(mine, scales), scale_operands(theirs, scales)
        np.testing.assert_array_equal(np.isnan(mine), np.isnan(theirs))
        same = ~np.isnan(mine)
        np.testing.assert_array_equal(mine[same].view(np.uint32), theirs[same].view(np.uint32))
        operands.append(theirs)
    a, w = operands[0][:, :45].copy(), operands[1]
    initial = rng.standard_normal((21, 24)).astype(np.float32)
    for before in (None, initial):
        mine = multiply_float(a, w, 8, before)
        theirs = matmul_float(a, w, rows=8, initial=before)
        np.testing.assert_array_equal(mine.view(np.uint32), theirs.view(np.uint32))


def test_bf16_products_are_fast() -> None:
    rng = np.random.default_rng(0)
    a, w = (
        rng.standard_normal((512, 512)).astype(ml_dtypes.bfloat16).astype(np.float32)
        for _ in range(2)
    )
    begun = time.process_time()
    multiply_float(a, w, 16)
    # an eighth of 1024 x 1024 x 1024
    assert time.process_time() - begun < 0.25


ILLEGAL = {
    "no such code": ("micro", {"format": 15}),
    "not an operand": ("micro", {"format": Format.FP32}),
    "not built in": ("nano", {"format": Format.BF16}),
    "scales of bf16": ("micro", {"format": Format.BF16, "scaled": 1}),
    "scales of int8": ("nano", {"scaled": 1}),
}


@pytest.mark.parametrize("case", list(ILLEGAL))
def test_an_unknown_format_is_refused(case: str) -> None:
    name, fields = ILLEGAL[case]
    rig = ModelRig(name)
    sizes = {"m": 4, "k": 4, "n": 4, "a_stride": 1, "w_stride": 1, "acc_stride": 4}
    error = rig.fail(pack(Opcode.MATMUL, **sizes, **fields))
    assert error["STATUS"] == Status.ILLEGAL_FIELD.value


@pytest.mark.parametrize("output", list(VectorOutput))
@pytest.mark.parametrize(("m", "n"), [(1, 1), (5, 8), (7, 21)])
def test_vector_on_wide_rows(m: int, n: int, output: VectorOutput) -> None:
    """Results and residuals count half rows, int32 results rows; halves beside stay as they are."""
    rig = ModelRig("micro")
    side, half = MICRO.array_cols, MICRO.row_bytes // 2
    nb = -(-n // side)
    rng = np.random.default_rng(n)
    pad, acc = rig.tile.scratchpad.data, rig.tile.accumulator.data
    acc[:] = rng.integers(-3000, 3000, acc.shape, np.int32)
    pad[:] = 0x77
    residual = rng.integers(-128, 128, (m, nb * side), np.int8)
    scale = rng.uniform(0.001, 0.1, n).astype(np.float32)
    bias = rng.integers(-99, 99, n, np.int32)
    pad[100:].reshape(-1)[: 4 * n] = bias.view(np.uint8)
    pad[200:].reshape(-1)[: 4 * n] = scale.view(np.uint8)
    put_units(pad, Format.INT8, 601, residual.view(np.uint8))
    before = pad.copy()
    is_int32 = output is VectorOutput.INT32
    per_row = nb * 2 if is_int32 else nb
    rig.run(
        pack(
            Opcode.VECTOR, m=m, n=n, acc_row=3, acc_stride=m + 2, out_row=1501,
            out_stride=per_row + 1, bias_row=100, scale_row=200, residual_row=601,
            residual_stride=nb, clamp_min=-90, clamp_max=100, output=output, use_bias=1,
            use_residual=1,
        )
    )  # fmt: skip
    sums = np.concatenate([acc[3 + b * (m + 2) :][:m] for b in range(nb)], axis=1)[:, :n]
    sums = np.ascontiguousarray(sums)
    if is_int32:
        result = vector_int32(sums, bias)
    else:
        result = requantise(sums, scale, 0, -90, 100, bias, residual[:, :n].copy())
    want = before.reshape(-1)
    unit = MICRO.row_bytes if is_int32 else half
    whole = np.zeros((m, per_row * unit), np.uint8)
    whole[:, : result.itemsize * n] = result.view(np.uint8).reshape(m, -1)
    for row in range(m):
        begin = (1501 + row * (per_row + 1)) * unit
        want[begin : begin + per_row * unit] = whole[row]
    np.testing.assert_array_equal(pad.reshape(-1), want)


def test_addresses_of_operands_end_with_their_units() -> None:
    """The last unit of each memory is used; one further is refused, told as a row."""
    units = 2 * MICRO.scratchpad_rows
    fields = {"m": 2, "k": 8, "n": 8, "a_stride": 1, "w_stride": 1, "acc_stride": 2}
    rig = ModelRig("micro")
    rig.run(pack(Opcode.MATMUL, **fields, a_row=units - 2, w_row=units - 8))
    assert rig.fail(pack(Opcode.MATMUL, **fields, a_row=units - 1))["STATUS"] == 5
    words = rig.page(0)
    assert words[12] == MICRO.scratchpad_rows, "the address is a row"
    vector = {"m": 2, "n": 8, "acc_stride": 2, "out_stride": 1}
    rig.reset_queue()
    rig.run(pack(Opcode.VECTOR, **vector, out_row=units - 2))
    assert rig.fail(pack(Opcode.VECTOR, **vector, out_row=units - 1))["STATUS"] == 5
    assert rig.page(0)[12] == MICRO.scratchpad_rows


def test_rows_of_int8_chips_are_units() -> None:
    for name in ("nano", "ecp5", "fleet"):
        tile: TileConfig = preset(name).tile
        assert units_per_row(tile, Format.INT8) == 1
        assert tile.row_bytes == tile.array_rows
