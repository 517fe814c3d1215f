"""What becomes of sums on their way out, by a microprogram: bit for bit the emulated program."""

import ml_dtypes
import numpy as np
import pytest
from weft import Device
from weft.commands import unpack
from weft.kernels.matmul import plan_matmul
from weft.kernels.vector import ACTIVATIONS, epilogue
from weft.microcode.emulate import DTYPES, emulate
from weft_hw.isa import Opcode
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.golden import matmul_float, matmul_int8

BF16, E4M3, E5M2 = ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2
_M, _K, _N = 45, 70, 41


@pytest.fixture(scope="module")
def device():
    """A chip with every format."""
    with Device("model", "micro", dram=Dram(size_bytes=1 << 22), debug=True) as opened:
        yield opened


def _floats(seed: int, dtype=BF16) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Operands and their sums."""
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=shape).astype(dtype) for shape in ((_M, _K), (_K, _N)))
    return a, b, matmul_float(a.astype(np.float32), b.astype(np.float32), rows=8)


def _want(sums, dtype, operands, scalars, **options):
    out = DTYPES[np.dtype(dtype)]
    program = epilogue(out=out, saturate=np.dtype(dtype).itemsize == 1, **options)
    found = emulate(
        program, {"acc": sums, **operands}, {"out": np.dtype(dtype)}, scalars=scalars, lanes=8
    )
    return found["out"]


@pytest.mark.parametrize("dtype", [np.float32, BF16, E4M3, E5M2])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("residual", [None, np.float32, BF16, np.int8])
def test_every_result(device, dtype, bias, residual):
    """A bias or residual is read from another column, row or unit, or a result is rounded twice."""
    rng = np.random.default_rng(1)
    a, b, sums = _floats(2)
    options, operands = {}, {}
    if bias:
        options["bias"] = operands["bias"] = rng.normal(size=_N).astype(np.float32)
    if residual is not None:
        values = (10 * rng.normal(size=(_M, _N))).astype(residual)
        options["residual"] = operands["residual"] = values
    got = device.matmul(a, b, out_dtype=dtype, **options).numpy()
    before = None if residual is None else "before"
    want = sums
    if operands or dtype is not np.float32:
        want = _want(sums, dtype, operands, {}, bias=bias, residual=before)
    assert got.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(got.view(np.uint8), want.view(np.uint8))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, BF16])
def test_activations(device, activation, dtype):
    """Another activation, or one of the sums before the bias."""
    a, b, sums = _floats(3)
    sums = (sums * np.float32(0.25)).astype(np.float32)
    bias = np.linspace(-2, 2, _N).astype(np.float32)
    residual = np.random.default_rng(4).normal(size=(_M, _N)).astype(BF16)
    a = (a.astype(np.float32) / 4).astype(BF16)
    for after in (False, True):
        got = device.matmul(
            a, b, bias=bias, activation=activation, residual=residual, residual_after=after,
            out_dtype=dtype,
        )  # fmt: skip
        want = _want(
            sums, dtype, {"bias": bias, "residual": residual}, {}, bias=True,
            activation=activation, residual="after" if after else "before",
        )  # fmt: skip
        np.testing.assert_array_equal(got, want)


def test_scales(device):
    """One column's scale is used for another, or the bias is scaled too."""
    a, b, sums = _floats(5)
    bias = np.linspace(-2, 2, _N).astype(np.float32)
    got = device.matmul(a, b, scale=0.125, bias=bias, out_dtype="bfloat16")
    want = _want(sums, BF16, {"bias": bias}, {"scale": 0.125}, scale="scalar", bias=True)
    np.testing.assert_array_equal(got, want)
    columns = np.linspace(0.5, 3, _N).astype(np.float32)
    got = device.matmul(a, b, scale=columns, bias=bias)
    want = _want(sums, np.float32, {"bias": bias, "scale": columns}, {}, scale="columns", bias=True)
    np.testing.assert_array_equal(got, want)


def test_floats_to_int8(device):
    """A result is rounded after the zero point is added, or wraps."""
    a, b, sums = _floats(6)
    got = device.matmul(a, b, relu=True, scale=9.5, zero_point=-7, out_dtype="int8")
    want = _want(
        sums, np.int8, {}, {"out_scale": 9.5, "zero_point": -7}, activation="relu", quantise=True
    )
    np.testing.assert_array_equal(got, want)
    assert (got.numpy() == 127).any()


@pytest.mark.parametrize("operand", [np.int8, ml_dtypes.int4])
def test_integers_to_floats(device, operand):
    """int32 sums are taken for fp32."""
    rng = np.random.default_rng(7)
    a, b = (rng.integers(-8, 8, shape, np.int8) for shape in ((_M, _K), (_K, _N)))
    scale = np.linspace(0.001, 0.01, _N).astype(np.float32)
    bias = np.linspace(-2, 2, _N).astype(np.float32)
    got = device.matmul(
        a.astype(operand), b.astype(operand), scale=scale, bias=bias, activation="gelu",
        out_dtype="bfloat16",
    )  # fmt: skip
    want = _want(
        matmul_int8(a, b), BF16, {"scale": scale, "bias": bias}, {}, scale="columns", bias=True,
        activation="gelu",
    )  # fmt: skip
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("m", [1, 7, 16])
@pytest.mark.parametrize("n", [64, 150])
@pytest.mark.parametrize("scale", [False, True])
def test_strips_of_columns(device, m, n, scale):
    """The turned program gets another row's residual, another column's bias, or cuts the last
    columns.
    """
    rng = np.random.default_rng(m + n)
    a, b = rng.normal(size=(m, 40)).astype(BF16), rng.normal(size=(40, n)).astype(BF16)
    operands = {"residual": rng.normal(size=(m, n)).astype(BF16)}
    operands["scale" if scale else "bias"] = rng.normal(size=n).astype(np.float32)
    planned = plan_matmul(device, a, b, out_dtype=BF16, activation="gelu", **operands)
    runs = [one for one in map(unpack, planned.plan.commands) if one.opcode is Opcode.RUN]
    assert any(one.fields["start"] == 1 for one in runs)
    got = planned.run(device).wait()
    sums = matmul_float(a.astype(np.float32), b.astype(np.float32), rows=8)
    kinds = {"scale": "columns"} if scale else {"bias": True}
    want = _want(sums, BF16, operands, {}, activation="gelu", residual="before", **kinds)
    np.testing.assert_array_equal(got, want)


def test_blocks_and_tiles():
    """A block of results gets another one's bias or residual, on one tile or another."""
    rng = np.random.default_rng(8)
    config = preset("quad").replace_tile(formats=preset("micro").tile.formats)
    a, b = rng.normal(size=(200, 150)).astype(BF16), rng.normal(size=(150, 190)).astype(BF16)
    bias = rng.normal(size=190).astype(np.float32)
    residual = rng.normal(size=(200, 190)).astype(BF16)
    sums = matmul_float(a.astype(np.float32), b.astype(np.float32), rows=8)
    want = _want(sums, BF16, {"bias": bias, "residual": residual}, {}, bias=True, residual="before")
    with Device("model", config, dram=Dram(size_bytes=1 << 22), debug=True) as device:
        for tiles in (1, 3, 4):
            got = device.matmul(
                a, b, bias=bias, residual=residual, out_dtype=BF16, tiles=tiles
            ).numpy()
            np.testing.assert_array_equal(got, want)
    image = rng.normal(size=(1, 9, 9, 12)).astype(BF16)
    kernel = rng.normal(size=(3, 3, 1, 12)).astype(BF16)
    with Device("model", config, dram=Dram(size_bytes=1 << 22), debug=True) as device:
        sums = device.conv2d(image, kernel, groups=12, padding=1).numpy().copy()
        got = device.conv2d(
            image, kernel, groups=12, padding=1, residual=image, out_dtype=BF16, relu=True,
            bias=bias[:12],
        )  # fmt: skip
        want = _want(
            sums.reshape(-1, 12), BF16,
            {"bias": bias[:12], "residual": image.reshape(-1, 12)}, {},
            bias=True, residual="before", activation="relu",
        )  # fmt: skip
        np.testing.assert_array_equal(got.numpy().reshape(-1, 12), want)


_A = np.ones((3, 4), BF16)
_B = np.ones((4, 5), BF16)
_COLUMNS = np.ones(5, np.float32)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"out_dtype": "int32"}, ValueError, "out_dtype must be one of float32, .*not 'int32'"),
        ({"out_dtype": "int8"}, ValueError, "scale must be given for out_dtype int8"),
        ({"out_dtype": "int8", "scale": _COLUMNS}, TypeError, "scale must be a number"),
        ({"scale": float("inf")}, ValueError, "scale must be finite"),
        ({"activation": "softplus"}, ValueError, "activation must be one of relu, .*'softplus'"),
        ({"activation": "gelu", "relu": True}, ValueError, "relu must be left out beside"),
        ({"bias": np.ones(5, np.int32)}, TypeError, "bias must have dtype float32, not int32"),
        ({"residual": np.ones((3, 4), BF16)}, ValueError, r"residual must have shape \(3, 5\)"),
        ({"residual": np.ones((3, 5), np.int16)}, TypeError, "residual must have dtype int8 or"),
        ({"clamp": (0, 5)}, ValueError, "clamp must be left out for out_dtype float32"),
        ({"zero_point": 3}, ValueError, "zero_point must be left out for out_dtype float32"),
        (
            {"bias": _COLUMNS, "scale": _COLUMNS, "residual": np.ones((3, 5), BF16)},
            ValueError,
            "bias, a scale for each column and residual must not all be given",
        ),
    ],
)
def test_mistakes(device, options, kind, message):
    """An option that a program does not know is left out without a word."""
    with pytest.raises(kind, match=message):
        device.matmul(_A, _B, **options)


def test_chips_without_a_processor():
    """A chip without a vector processor is sent a program."""
    with Device("model", "nano", dram=Dram(size_bytes=1 << 20)) as device:
        ones = np.ones((4, 4), np.int8)
        with pytest.raises(ValueError, match="out_dtype must be one of int32, int8, not 'bfloat16"):
            device.matmul(ones, ones, out_dtype="bfloat16")
        with pytest.raises(ValueError, match="activation must be left out for int8 results"):
            device.matmul(ones, ones, scale=1.0, activation="gelu")
