"""Products in every format, bit for bit, through the driver."""

import ml_dtypes
import numpy as np
import pytest
from operands import around, int8
from weft import Device
from weft.packing import pack_int4
from weft.quantise import MxArray, mx
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.golden import matmul_int8, requantise, vector_int32

BF16, E4M3, E5M2 = ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2

#: Sizes for an array of 8 x 8 (micro) with their reasons.
_SHAPES = [
    *around(8),
    pytest.param(9, 33, 16, id="one-beyond-a-group"),
    pytest.param(33, 65, 47, id="ragged"),
    pytest.param(100, 300, 70, id="more-than-the-accumulator"),
    pytest.param(7, 2000, 9, id="k-beyond-the-scratchpad"),
]


def _sums(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """fp32 sums in the array's order: 8 products one after the other, such sums one after the
    other.
    """
    a, b = a.astype(np.float32), b.astype(np.float32)
    total = None
    for first in range(0, a.shape[1], 8):
        block = np.zeros((a.shape[0], b.shape[1]), np.float32)
        for k in range(first, min(first + 8, a.shape[1])):
            block += np.outer(a[:, k], b[k])
        total = block if total is None else total + block
    return total


@pytest.fixture
def device():
    """A chip with every format."""
    with Device("model", "micro", dram=Dram(size_bytes=1 << 22), debug=True) as opened:
        yield opened


@pytest.mark.parametrize("dtype", [BF16, E4M3, E5M2])
@pytest.mark.parametrize(("m", "k", "n"), _SHAPES)
def test_floats(device, dtype, m, k, n):
    """An operand is read from another unit, or products are added in another order."""
    rng = np.random.default_rng([m, k, n])
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    got = device.matmul(a, b).numpy()
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, _sums(a, b))


@pytest.mark.parametrize("dtype", [E4M3, E5M2])
@pytest.mark.parametrize(("m", "k", "n"), _SHAPES)
def test_block_scales(device, dtype, m, k, n):
    """A group of operands gets another one's scale."""
    rng = np.random.default_rng([m, k, n])
    a = mx((rng.normal(size=(m, k)) * np.exp2(rng.integers(-9, 9, (m, 1)))), dtype, axis=1)
    b = mx((rng.normal(size=(k, n)) * np.exp2(rng.integers(-9, 9, (k, 1)))), dtype, axis=0)
    want = _sums(a.numpy(), b.numpy())
    np.testing.assert_array_equal(device.matmul(a, b.to(device)), want)


@pytest.mark.parametrize(("m", "k", "n"), _SHAPES)
def test_int4(device, m, k, n):
    """Halves of a byte are exchanged, or a row that ends in half a byte shifts the next."""
    rng = np.random.default_rng([m, k, n])
    a, b = (rng.integers(-8, 8, shape, np.int8) for shape in ((m, k), (k, n)))
    packed = [array.astype(ml_dtypes.int4) for array in (a, b)]
    buffer = device.array(packed[0])
    assert buffer.nbytes == pack_int4(packed[0]).size == m * -(-k // 2)
    np.testing.assert_array_equal(buffer.numpy().astype(np.int8), a)
    sums = matmul_int8(a, b)
    bias = rng.integers(-1000, 1000, n, np.int32)
    np.testing.assert_array_equal(
        device.matmul(buffer, packed[1], bias=bias), vector_int32(sums, bias)
    )
    scale = np.full(n, 0.01, np.float32)
    np.testing.assert_array_equal(device.matmul(*packed, scale=scale), requantise(sums, scale))


@pytest.mark.parametrize(("m", "k", "n"), _SHAPES)
def test_int8_on_wide_rows(device, m, k, n):
    """Two int8 vectors in a row are taken for one."""
    rng = np.random.default_rng([m, k, n])
    a, b, residual = int8(rng, m, k), int8(rng, k, n), int8(rng, m, n)
    bias = rng.integers(-1000, 1000, n, np.int32)
    scale = (rng.random(n) * 0.01 + 0.001).astype(np.float32)
    sums = matmul_int8(a, b)
    np.testing.assert_array_equal(device.matmul(a, b, bias=bias), vector_int32(sums, bias))
    got = device.matmul(a, b, bias=bias, scale=scale, residual=residual, zero_point=3)
    np.testing.assert_array_equal(got, requantise(sums, scale, 3, -128, 127, bias, residual))


@pytest.mark.parametrize("dtype", [np.int8, ml_dtypes.int4, BF16, E4M3])
def test_resident(device, dtype):
    """Loads before the product count rows of another format."""
    rng = np.random.default_rng(5)
    a = rng.integers(-8, 8, (40, 50)).astype(dtype)
    b = rng.integers(-8, 8, (50, 30)).astype(dtype)
    want = a.astype(np.float32) @ b.astype(np.float32)
    np.testing.assert_array_equal(device.matmul(a, b, resident=True), want)


def test_every_tile_of_a_mesh():
    """Another tile's part of the scales, or half a byte of it, is loaded."""
    config = preset("quad").replace_tile(formats=preset("micro").tile.formats)
    rng = np.random.default_rng(6)
    with Device("model", config, dram=Dram(size_bytes=1 << 22), debug=True) as device:
        a, b = rng.normal(size=(75, 90)), rng.normal(size=(90, 61))
        left, right = mx(a, axis=1), mx(b, axis=0)
        np.testing.assert_array_equal(
            device.matmul(left, right), _sums(left.numpy(), right.numpy())
        )
        left, right = (np.rint(2 * array).astype(ml_dtypes.int4) for array in (a, b))
        np.testing.assert_array_equal(
            device.matmul(left, right), left.astype(np.int32) @ right.astype(np.int32)
        )


@pytest.mark.parametrize("dtype", [np.int8, BF16, E4M3])
@pytest.mark.parametrize(("m", "k", "n"), _SHAPES)
def test_turned_operands(device, dtype, m, k, n):
    """Rows of the right operand are taken for its columns, or a panel of them for another."""
    rng = np.random.default_rng([m, k, n])
    a = rng.integers(-8, 8, (m, k)).astype(dtype)
    b = rng.integers(-8, 8, (n, k)).astype(dtype)
    want = a.astype(np.float32) @ b.astype(np.float32).T
    np.testing.assert_array_equal(device.matmul(a, b, transpose_b=True), want)


def test_turning_is_refused():
    """A chip that cannot turn an operand, or no chip can, multiplies with it as it is."""
    ones = np.ones((2, 2), np.int8)
    with Device("model", "nano", dram=Dram(size_bytes=1 << 20)) as device:
        with pytest.raises(ValueError, match="transpose_b must be left out on nano"):
            device.matmul(ones, ones, transpose_b=True)
        with pytest.raises(TypeError, match="b must be turned on the host if it is of int4"):
            device.matmul(ones, ones.astype(ml_dtypes.int4), transpose_b=True)


def test_quantiser():
    """A scale is too large or too small by one, or an element wraps where it should saturate."""
    rng = np.random.default_rng(7)
    values = rng.normal(size=(5, 70)) * np.exp2(rng.integers(-30, 30, (5, 70)).astype(float))
    for dtype, largest, bits in ((E4M3, 448, 3), (E5M2, 57344, 2)):
        found = mx(values, dtype)
        assert found.scales.shape == (3, 5)
        near = np.abs(found.numpy() - values) <= np.abs(values) * 2.0**-bits
        scale = np.exp2(found.expanded_scales().astype(float) - 127)
        ratio = np.abs(values) / scale
        # all but what is subnormal after scaling is within a step
        assert (near | (ratio < 0.02)).all()
        assert ratio.max() < 2 * largest
        groups = np.pad(ratio, ((0, 0), (0, 26))).reshape(5, 3, 32).max(axis=2)
        assert (groups >= 2 ** np.floor(np.log2(largest))).all()
    assert not mx(np.zeros((2, 40))).numpy().any()


@pytest.mark.parametrize(
    ("a", "b", "kind", "message"),
    [
        (np.ones((2, 2)), np.ones((2, 2)), TypeError, "a must have dtype int8 or int4 or bfloat16"),
        (np.ones((2, 2), BF16), np.ones((2, 2), E4M3), TypeError, "b must have dtype bfloat16"),
        (mx(np.ones((2, 2))), np.ones((2, 2), E4M3), TypeError, "b must be an MxArray like"),
        (mx(np.ones((2, 2))), mx(np.ones((2, 2))), ValueError, "b must have its scales along"),
        (np.ones((2, 3), BF16), np.ones((2, 3), BF16), ValueError, "a and b must agree in K"),
    ],
)  # fmt: skip
def test_mistakes(a, b, kind, message):
    """Operands of two formats are multiplied as if they were of one."""
    with (
        Device("model", "micro", dram=Dram(size_bytes=1 << 20)) as device,
        pytest.raises(kind, match=message),
    ):
        device.matmul(a, b)


@pytest.mark.parametrize("dtype", [ml_dtypes.int4, BF16, E4M3, E5M2])
def test_formats_that_are_not_built_in(dtype):
    """A chip without a format gives wrong numbers in it."""
    ones = np.ones((2, 2), dtype)
    with Device("model", "nano", dram=Dram(size_bytes=1 << 20)) as device:
        with pytest.raises(ValueError, match=r"formats that nano is built with \(int8\), not"):
            device.matmul(ones, ones)
        with pytest.raises(ValueError, match=r"formats that nano is built with \(int8\), not mx"):
            device.matmul(mx(np.ones((2, 2))), mx(np.ones((2, 2)), axis=0))


def test_scaled_arrays_are_checked():
    """Scales of another shape are read as what lies behind them."""
    elements = np.ones((3, 40), E4M3)
    with pytest.raises(ValueError, match=r"scales must have shape \(2, 3\), one for 32 elements"):
        MxArray(elements, np.zeros((3, 2), np.uint8), 1)
    with pytest.raises(TypeError, match="elements must have dtype float8_e4m3fn, float8_e5m2"):
        MxArray(elements.astype(np.float32), np.zeros((2, 3), np.uint8), 1)
    with pytest.raises(TypeError, match="scales must have dtype uint8, not int8"):
        MxArray(elements, np.zeros((2, 3), np.int8), 1)
    with pytest.raises(ValueError, match="values must be finite"):
        mx(np.array([[np.inf]]))
    with pytest.raises(TypeError, match="dtype must be float8_e4m3fn or float8_e5m2"):
        mx(np.ones((2, 2)), BF16)
