"""Arithmetic and conversions of the vector engine's lanes against rational numbers."""

import itertools

import ml_dtypes
import numpy as np
import pytest
from lane_reference import (
    add,
    extreme,
    flushed,
    load_element,
    multiply,
    store_element,
    to_float,
    to_int,
)
from weft_hw.formats.table import BITS, Format
from weft_sim.golden import fp32
from weft_sim.golden.conversion import load_lanes, store_lanes

_CORNERS = [
    *(0x00000000, 0x00000001, 0x007FFFFF, 0x00800000, 0x00800001, 0x00FFFFFF, 0x01000000),
    *(0x33800000, 0x31000000, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x3FFFFFFF, 0x10000000),
    *(0x1FFFFFFF, 0x20000000, 0x5F000000, 0x7F000000, 0x7F7FFFFF, 0x7F800000, 0x7F800001),
    *(0x7FC00000, 0x4B7FFFFF, 0x4EFFFFFF, 0x4F000000, 0x3F000000, 0x3EFFFFFF),
]
_CORNERS += [bits | 0x80000000 for bits in _CORNERS]


def _pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of corners, and random pairs, half of them close in size."""
    rng = np.random.default_rng(2)
    a, b = np.array(list(itertools.product(_CORNERS, _CORNERS)), np.uint32).T
    c = rng.integers(0, 2**32, count, dtype=np.uint32)
    d = rng.integers(0, 2**32, count, dtype=np.uint32)
    near = rng.random(count) < 0.5
    d = np.where(near, (d & 0x807FFFFF) | ((c & 0x7F800000) ^ (d & 0x01800000)), d)
    return np.concatenate([a, c]), np.concatenate([b, d.astype(np.uint32)])


@pytest.mark.parametrize(
    ("function", "reference"),
    [
        (fp32.add, add),
        (fp32.subtract, lambda a, b: add(a, b ^ 0x80000000)),
        (fp32.multiply, multiply),
        (fp32.minimum, lambda a, b: extreme(a, b, largest=False)),
        (fp32.maximum, lambda a, b: extreme(a, b, largest=True)),
    ],
    ids=["add", "subtract", "multiply", "minimum", "maximum"],
)
def test_arithmetic(function, reference) -> None:
    a, b = _pairs(1000)
    with np.errstate(all="ignore"):
        got = function(fp32.flush(a.view(np.float32)), fp32.flush(b.view(np.float32)))
    want = [reference(int(x), int(y)) for x, y in zip(a, b, strict=True)]
    np.testing.assert_array_equal(got.view(np.uint32), np.array(want, np.uint32))


def test_products_at_the_smallest_normal_number() -> None:
    """Whether a product is subnormal is decided after rounding with an unbounded exponent."""
    rng = np.random.default_rng(3)
    a = rng.integers(0x1F800000, 0x20000000, 1000, dtype=np.uint32)
    # b so that the product is next to 2**-126
    b = (2.0**-126 / a.view(np.float32).astype(np.float64)).astype(np.float32)
    b = b.view(np.uint32) + rng.integers(-2, 3, 1000).astype(np.uint32)
    with np.errstate(all="ignore"):
        got = fp32.multiply(fp32.flush(a.view(np.float32)), fp32.flush(b.view(np.float32)))
    want = [multiply(int(x), int(y)) for x, y in zip(a, b, strict=True)]
    np.testing.assert_array_equal(got.view(np.uint32), np.array(want, np.uint32))


def test_integers() -> None:
    a, _ = _pairs(1000)
    with np.errstate(all="ignore"):
        whole = fp32.to_int(fp32.flush(a.view(np.float32)))
    np.testing.assert_array_equal(whole, np.array([to_int(int(x)) for x in a]))
    floats = fp32.to_float(a.view(np.int32)).view(np.uint32)
    np.testing.assert_array_equal(floats, np.array([to_float(int(x)) for x in a], np.uint32))
    flushes = fp32.flush(a.view(np.float32)).view(np.uint32)
    np.testing.assert_array_equal(flushes, np.array([flushed(int(x)) for x in a], np.uint32))


def _codes(code: Format) -> np.ndarray:
    """Bytes of every value of a format of 16 bits or less."""
    width = BITS[code]
    if width == 4:
        return np.arange(256, dtype=np.uint8)
    return np.arange(1 << width).astype(np.uint16 if width == 16 else np.uint8).view(np.uint8)


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("code", [code for code in Format if BITS[code] <= 16])
def test_every_value_is_loaded(code: Format, integer: bool) -> None:
    raw = _codes(code)
    got = load_lanes(raw, code.value, integer=integer)
    width = BITS[code]
    bits = int.from_bytes(raw.tobytes(), "little")
    step = max(1, len(got) // 1024)
    for lane in range(0, len(got), step):
        element = bits >> lane * width & (1 << width) - 1 if width == 4 else lane
        assert int(got[lane]) == load_element(element, code, integer), (code, lane)


@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("code", list(Format))
def test_stored_values_are_rounded(code: Format, integer: bool, saturate: bool) -> None:
    """Corners, random bits, and the middles between neighbours of the format."""
    rng = np.random.default_rng(4)
    lanes = [np.array(_CORNERS, np.uint32), rng.integers(0, 2**32, 300, dtype=np.uint32)]
    if BITS[code] <= 16:
        values = load_lanes(_codes(code), code.value).view(np.float32)
        values = np.unique(values[np.isfinite(values)])[:: 1 if BITS[code] < 16 else 256]
        middles = ((values[1:].astype(np.float64) + values[:-1]) / 2).astype(np.float32)
        middles = middles.view(np.uint32)
        lanes += [middles, middles + np.uint32(1), middles - np.uint32(1)]
    lane = np.concatenate(lanes)
    lane = lane[: len(lane) // 2 * 2]
    with np.errstate(all="ignore"):
        raw = store_lanes(lane, code.value, integer=integer, saturate=saturate)
    want = [store_element(int(x), code, integer, saturate) for x in lane]
    width = BITS[code]
    total = sum(element << number * width for number, element in enumerate(want[:64]))
    assert raw[: 64 * width // 8].tobytes() == total.to_bytes(64 * width // 8, "little")
    if width == 4:
        got = np.stack([raw & 0xF, raw >> 4], axis=-1).reshape(-1)
    else:
        got = raw.view({8: np.uint8, 16: np.uint16, 32: np.uint32}[width])
    np.testing.assert_array_equal(got, np.array(want))


def test_bf16_is_that_of_ml_dtypes() -> None:
    bits = np.random.default_rng(5).integers(0, 2**32, 100_000, dtype=np.uint32)
    normal = (bits & 0x7F800000 != 0) & (bits & 0x7FFFFFFF <= 0x7F800000)
    bits = bits[normal]
    got = store_lanes(bits, Format.BF16.value).view(ml_dtypes.bfloat16)
    want = bits.view(np.float32).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(got.view(np.uint16), want.view(np.uint16))


def test_unknown_format() -> None:
    with pytest.raises(ValueError, match="code must be that of a number format, not 9"):
        load_lanes(np.zeros(8, np.uint8), 9)
    with pytest.raises(ValueError, match="code must be that of a number format, not 9"):
        store_lanes(np.zeros(8, np.uint32), 9)
