"""Row-wise and element-wise kernels on device buffers: bit for bit the emulated programs."""

import ml_dtypes
import numpy as np
import pytest
from weft import Device
from weft.kernels import vector
from weft.kernels.elementwise import FUNCTIONS
from weft.microcode.emulate import emulate
from weft_hw.presets import preset
from weft_sim.dram import Dram

BF16 = ml_dtypes.bfloat16
_SHAPES = [(1, 1), (3, 8), (9, 17), (70, 33), (2, 700)]


@pytest.fixture(scope="module", params=["micro", "quad"])
def device(request):
    """A chip with every format, of one tile or four."""
    config = preset(request.param).replace_tile(formats=preset("micro").tile.formats)
    with Device("model", config, dram=Dram(size_bytes=1 << 22), debug=True) as opened:
        yield opened


def _emulated(program, operands, dtype, scalars=None):
    found = emulate(program, operands, {"out": np.dtype(dtype)}, scalars=scalars or {}, lanes=8)
    return found["out"]


def _same(got, want):
    np.testing.assert_array_equal(np.asarray(got).view(np.uint8), want.view(np.uint8))


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, BF16])
def test_softmax(device, shape, dtype):
    """A row's maximum or sum is another's, or columns beyond the last one count."""
    rng = np.random.default_rng(shape)
    x = (4 * rng.normal(size=shape)).astype(dtype)
    fast, one = dtype is not np.float32, shape[1] <= 8
    _same(
        device.softmax(x), _emulated(vector.softmax(8, one_block=one, fast=fast), {"x": x}, dtype)
    )
    mask = np.where(rng.random(shape[1]) < 0.3, -np.inf, 0).astype(np.float32)
    mask[0] = 0
    program = vector.softmax(8, scale=True, mask=True, one_block=one, fast=fast)
    want = _emulated(program, {"x": x, "mask": mask}, dtype, {"scale": 0.5})
    _same(device.softmax(x, scale=0.5, mask=mask), want)
    exact = np.exp(0.5 * x.astype(np.float64) + mask)
    exact /= exact.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(want.astype(np.float64), exact, rtol=0.02, atol=1e-30)


def test_causal_softmax(device):
    """Rows are counted from the top of a chunk, or of a tile's part, not of the matrix."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 70, 70)).astype(np.float32)
    got = device.softmax(x, causal=True).numpy()
    program = vector.softmax(8, causal=True)
    for number in range(3):
        want = _emulated(program, {"x": x[number]}, np.float32, {"row_offset": 0})
        _same(got[number], want)
    assert (got[:, 0, 1:] == 0).all()
    np.testing.assert_allclose(got.sum(axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, BF16])
def test_norms(device, shape, dtype):
    """A column's weight is another's, or columns beyond the last one count in the mean."""
    rng = np.random.default_rng(shape)
    n, fast = shape[1], dtype is not np.float32
    x = (rng.normal(size=shape) + 1).astype(dtype)
    gamma, beta = rng.normal(size=(2, n)).astype(np.float32)
    scalars = {"inverse_n": 1.0 / n, "epsilon": 1e-5}
    operands = {"x": x, "gamma": gamma, "beta": beta}
    ragged = n % 8 != 0
    want = _emulated(
        vector.layer_norm(8, ragged=ragged, fast=fast), operands, dtype,
        {**scalars, **({"n": n} if ragged else {})},
    )  # fmt: skip
    _same(device.layer_norm(x, gamma, beta), want)
    want = _emulated(vector.rms_norm(8, fast=fast), {"x": x, "gamma": gamma}, dtype, scalars)
    _same(device.rms_norm(x, gamma, epsilon=1e-5), want)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, BF16])
def test_functions(device, name, dtype):
    """Another function, or what is left over after whole rows is forgotten."""
    rng = np.random.default_rng(2)
    x = (np.abs(rng.normal(size=(5, 431))) + 0.1).astype(dtype)
    factor = {"factor": 3.25} if name == "scale" else {}
    options = {} if name in ("relu", "scale") else {"fast": dtype is not np.float32}
    want = _emulated(FUNCTIONS[name](**options), {"x": x}, dtype, factor)
    _same(device.apply(name, x, **factor), want)


@pytest.mark.parametrize("shape", [(7,), (5, 431), (3, 4, 100)])
def test_pairs(device, shape):
    """A vector for all rows is taken for a matrix, or a chunk is added to another."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, *shape)).astype(BF16)
    vector_of_last = rng.normal(size=shape[-1]).astype(np.float32)
    wide = x.astype(np.float32)
    _same(device.add(x, y), (wide + y.astype(np.float32)).astype(BF16))
    _same(device.multiply(x, y), (wide * y.astype(np.float32)).astype(BF16))
    _same(device.add(x, vector_of_last), (wide + vector_of_last).astype(BF16))
    _same(device.multiply(x, vector_of_last, out_dtype=np.float32), wide * vector_of_last)


@pytest.mark.parametrize("shape", [(5, 8), (33, 20), (2, 9, 48)])
def test_rotary(device, shape):
    """A pair of columns is turned by another one's angle, or the wrong way."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=shape).astype(BF16)
    angles = np.repeat(rng.normal(size=(*shape[:-1], shape[-1] // 2)), 2, axis=-1)
    cos = np.cos(angles).astype(np.float32)
    sin = (np.sin(angles) * np.tile([-1, 1], shape[-1] // 2)).astype(np.float32)
    flat = {name: value.reshape(-1, shape[-1]) for name, value in
            (("x", x), ("cos", cos), ("sin", sin))}  # fmt: skip
    want = _emulated(vector.rotary(8), flat, BF16)
    got = device.rotary(x, cos, sin)
    _same(np.asarray(got).reshape(-1, shape[-1]), want)
    turned = np.linalg.norm(got.numpy().astype(float).reshape(*shape[:-1], -1, 2), axis=-1)
    length = np.linalg.norm(x.astype(float).reshape(*shape[:-1], -1, 2), axis=-1)
    np.testing.assert_allclose(turned, length, rtol=0.01)


def test_conversions(device):
    """A conversion rounds twice, or wraps where it should saturate."""
    rng = np.random.default_rng(4)
    x = (1000 * rng.normal(size=(30, 100))).astype(np.float32)
    for dtype in (BF16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, np.int8, np.int32):
        want = x
        if dtype is ml_dtypes.float8_e4m3fn:
            want = np.clip(x, -448, 448)
        elif np.dtype(dtype).kind == "i":
            limits = np.iinfo(dtype)
            want = np.clip(np.rint(x), limits.min, limits.max)
        np.testing.assert_array_equal(device.convert(x, dtype), want.astype(dtype))


def test_in_place_and_in_order(device):
    """A result that overwrites its operand is read back as an operand, or work overtakes work."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 40)).astype(np.float32)
    buffer = device.array(x)
    for _ in range(3):
        device.add(buffer, buffer, out=buffer)
    device.scale(buffer, 0.5, out=buffer)
    np.testing.assert_array_equal(buffer, x * 4)


def test_nothing_else_is_written(device):
    """A store writes beyond the rows or columns of the result."""
    x = device.array(np.ones((37, 13), BF16))
    before, out, after = (
        device.empty(64, np.uint8),
        device.empty((37, 13), BF16),
        device.empty(64, np.uint8),
    )
    raw = device.target.memory[before.address : after.address + 64]
    raw[...] = 0x5A
    device.relu(x, out=out).numpy()
    own = slice(out.address - before.address, out.address - before.address + out.nbytes)
    assert (np.delete(raw, own) == 0x5A).all()


_X = np.ones((4, 6), np.float32)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda d: d.apply("sine", _X), ValueError, "name must be one of relu, .* not 'sine'"),
        (lambda d: d.apply("scale", _X), ValueError, "factor must be given for scale"),
        (lambda d: d.apply("relu", _X, factor=2), ValueError, "factor must be left out for relu"),
        (lambda d: d.relu(_X.astype(np.float64)), TypeError, "out_dtype must have dtype int8 or"),
        (lambda d: d.relu(_X.astype(np.int16), out_dtype=np.int8), TypeError, "x must have dtype"),
        (lambda d: d.relu(_X, out_dtype="real"), ValueError, "out_dtype must be a dtype, not"),
        (lambda d: d.add(_X, _X[:2]), ValueError, r"y must have shape \(4, 6\) or \(6,\)"),
        (lambda d: d.softmax(_X, mask=_X[:2]), ValueError, r"mask must have shape \(4, 6\) or"),
        (lambda d: d.softmax(_X, out_dtype=np.int8), TypeError, "out_dtype must be float32 or"),
        (lambda d: d.layer_norm(_X, _X[0, :5], _X[0]), ValueError, r"gamma must have shape \(6,\)"),
        (lambda d: d.rms_norm(_X, [1]), TypeError, "gamma must be a numpy array or"),
        (lambda d: d.softmax(np.ones((1, 60000), np.float32)), ValueError, "rows of 60000 columns"),
        (lambda d: d.relu(_X, out=d.empty((4, 5), np.float32)), ValueError, "out must have shape"),
    ],
)  # fmt: skip
def test_mistakes(device, call, kind, message):
    """A mistake in what a kernel is given ends in wrong numbers."""
    with pytest.raises(kind, match=message):
        call(device)


def test_chips_without_a_processor():
    """A chip without a vector processor is sent a program."""
    with (
        Device("model", "nano", dram=Dram(size_bytes=1 << 20)) as device,
        pytest.raises(ValueError, match="nano must be built with a floating-point format"),
    ):
        device.relu(_X)
