"""Kernels of several matrices, pooling, and what follows a matmul."""

import ml_dtypes
import numpy as np
import pytest
from weft.kernels.vector import (
    add,
    average_pool,
    epilogue,
    max_pool,
    multiply,
    multiply_add,
    relu,
    requantise,
    rotary,
    scale,
)
from weft.microcode import Program, emulate
from weft_hw.formats.table import Format
from weft_hw.presets import preset
from weft_sim.golden import requantise as golden_requantise
from weft_sim.golden.microprogram import run_microprogram
from weft_sim.golden.streams import Stream

_BF16 = ml_dtypes.bfloat16
_RNG_SEED = 7


def _random(*shape: int, dtype: type = np.float32, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(_RNG_SEED + len(shape) + shape[-1])
    return (rng.standard_normal(shape) * scale).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, _BF16, np.int8])
def test_sums_and_products(dtype: type) -> None:
    """One rounding to fp32 and one to the format; int8 saturates."""
    x, y = _random(11, 21, dtype=dtype, scale=50.0), _random(21, dtype=dtype, scale=50.0)
    out = np.float32 if dtype is np.int8 else dtype
    wide = x.astype(np.float32), y.astype(np.float32)
    inputs = {"x": x, "y": y}
    got = emulate(add(), inputs, {"out": out}, lanes=8)["out"]
    np.testing.assert_array_equal(got, (wide[0] + wide[1]).astype(out))
    got = emulate(multiply(), inputs, {"out": out}, lanes=8)["out"]
    np.testing.assert_array_equal(got, (wide[0] * wide[1]).astype(out))
    got = emulate(scale(), {"x": x}, {"out": np.int8}, scalars={"factor": 0.75}, lanes=8)["out"]
    np.testing.assert_array_equal(got, np.clip(np.rint(wide[0] * 0.75), -128, 127))
    got = emulate(relu(), {"x": x}, {"out": dtype}, lanes=8)["out"]
    np.testing.assert_array_equal(got, np.maximum(x, dtype(0)))


def _on_micro(program: Program, matrices: dict[str, tuple[np.ndarray, Stream]], m: int, n: int):
    """Runs on the scratchpad of preset micro with streams as given; its bytes afterwards."""
    tile = preset("micro").tile
    scratchpad = np.zeros((tile.scratchpad_rows, tile.row_bytes), np.uint8)
    for array, stream in matrices.values():
        if array is not None:
            raw = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
            flat = scratchpad.reshape(-1)
            begin = stream.row * (8 if stream.code == Format.INT8.value else 16)
            flat[begin : begin + len(raw)] = raw
    run_microprogram(
        tile,
        np.concatenate([program.words, np.zeros(256 - len(program), np.uint64)]),
        scratchpad,
        np.zeros((tile.accumulator_rows, tile.array_cols), np.int32),
        m=m, n=n, start=0,
        streams=[matrices[name][1] for name in program.streams],
    )  # fmt: skip
    return scratchpad.reshape(-1)


def test_multiply_add_goes_on() -> None:
    """``out`` is read before it is written."""
    x, y, out = _random(9, 8), _random(9, 8) + 1, _random(9, 8) - 1
    after = _on_micro(
        multiply_add(),
        {
            "x": (x, Stream(0, 2, 0, Format.FP32)),
            "y": (y, Stream(100, 2, 0, Format.FP32)),
            "out": (out, Stream(200, 2, 0, Format.FP32)),
        },
        9, 8,
    )  # fmt: skip
    got = after[3200 : 3200 + out.nbytes].view(np.float32).reshape(9, 8)
    np.testing.assert_array_equal(got, x * y + out)


@pytest.mark.parametrize("lanes", [8, 16])
def test_rotary(lanes: int) -> None:
    positions, width = 10, 32
    angle = np.outer(np.arange(positions), 10000.0 ** (-np.arange(0, width, 2) / width))
    cos = np.repeat(np.cos(angle), 2, axis=1).astype(np.float32)
    sin = np.stack([-np.sin(angle), np.sin(angle)], axis=-1).reshape(positions, width)
    x = _random(positions, width)
    inputs = {"x": x, "cos": cos, "sin": sin.astype(np.float32)}
    got = emulate(rotary(lanes), inputs, {"out": np.float32})["out"]
    pairs = x[:, 0::2] + 1j * x[:, 1::2].astype(np.float64)
    want = pairs * np.exp(1j * angle)
    np.testing.assert_allclose(got[:, 0::2], want.real, atol=5e-7)
    np.testing.assert_allclose(got[:, 1::2], want.imag, atol=5e-7)


def test_max_pool_of_an_image() -> None:
    """2x2 windows, stride 2, of an int8 image of 6 x 8 pixels and 8 channels: along x, then along
    y, where an image row is a matrix row.
    """
    height, width, channels = 6, 8, 8
    rng = np.random.default_rng(8)
    image = rng.integers(-128, 128, (height, width, channels)).astype(np.int8)
    half = width // 2
    rows = height * half
    after = _on_micro(
        max_pool(2),
        {
            "x0": (image, Stream(0, 2, 0, Format.INT8)),
            "x1": (None, Stream(1, 2, 0, Format.INT8)),
            "out": (None, Stream(100, 1, 0, Format.INT8)),
        },
        rows, channels,
    )  # fmt: skip
    across = after[800 : 800 + rows * channels].view(np.int8).copy()
    after = _on_micro(
        max_pool(2),
        {
            "x0": (across, Stream(0, 2 * half, 1, Format.INT8)),
            "x1": (None, Stream(half, 2 * half, 1, Format.INT8)),
            "out": (None, Stream(100, half, 1, Format.INT8)),
        },
        height // 2, half * channels,
    )  # fmt: skip
    got = after[800 : 800 + height // 2 * half * channels].view(np.int8)
    windows = image.reshape(height // 2, 2, half, 2, channels)
    np.testing.assert_array_equal(got, windows.max(axis=(1, 3)).reshape(-1))


def test_pools_accumulate() -> None:
    taps = [_random(5, 8) + number for number in range(5)]
    places = [Stream(100 * number, 2, 0, Format.FP32) for number in range(6)]

    def names(first: int, count: int) -> dict:
        return {f"x{n}": (taps[first + n], places[first + n]) for n in range(count)}

    out = np.maximum(np.maximum(taps[0], taps[1]), taps[2])
    after = _on_micro(max_pool(2, accumulate=True), {**names(3, 2), "out": (out, places[5])}, 5, 8)
    got = after[8000 : 8000 + out.nbytes].view(np.float32).reshape(5, 8)
    np.testing.assert_array_equal(got, np.max(taps, axis=0))


def test_average_pool() -> None:
    taps = {f"x{number}": _random(5, 20) + number for number in range(3)}
    got = emulate(average_pool(3), taps, {"out": np.float32}, scalars={"factor": 1 / 3}, lanes=8)[
        "out"
    ]
    want = (taps["x0"] + taps["x1"] + taps["x2"]) * np.float32(1 / 3)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("taps", [0, 4])
@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_taps_are_limited(pool, taps: int) -> None:
    with pytest.raises(ValueError, match=f"taps must be between 1 and 3 in a command, not {taps}"):
        pool(taps)


@pytest.mark.parametrize("extra", [None, "bias", "residual"])
def test_requantise_is_the_golden(extra: str | None) -> None:
    """Also for sums and scales that overflow, and NaN."""
    rng = np.random.default_rng(9)
    x = rng.integers(-(2**31), 2**31, (33, 21)).astype(np.int32)
    x[:12] = rng.integers(-3000, 3000, (12, 21))
    factors = (rng.random(21) * 0.1).astype(np.float32)
    factors[3:6] = np.nan, np.inf, 1e-40
    inputs, options = {"x": x, "scale": factors}, {}
    if extra == "bias":
        options["bias"] = rng.integers(-(2**31), 2**31, 21).astype(np.int32)
    elif extra == "residual":
        options["residual"] = rng.integers(-128, 128, x.shape).astype(np.int8)
    program = requantise(
        zero_point=-3, clamp=(-100, 90), bias=extra == "bias", residual=extra == "residual"
    )
    got = emulate(program, {**inputs, **options}, {"out": np.int8}, lanes=8)["out"]
    np.testing.assert_array_equal(got, golden_requantise(x, factors, -3, -100, 90, **options))


def test_requantise_refuses() -> None:
    with pytest.raises(ValueError, match="so bias or residual, not both"):
        requantise(bias=True, residual=True)
    with pytest.raises(ValueError, match="must be between -128 and 127, not 200"):
        requantise(clamp=(0, 200))


def test_epilogue_of_a_transformer() -> None:
    """Bias, then residual: rounded once to fp32 a step, once to bf16."""
    acc, bias = _random(9, 24), _random(24)
    residual = _random(9, 24, dtype=_BF16)
    program = epilogue(bias=True, residual="after", out=Format.BF16)
    assert program.streams == ("acc", "bias", "residual", "out")
    inputs = {"acc": acc, "bias": bias, "residual": residual}
    got = emulate(program, inputs, {"out": _BF16}, lanes=8)["out"]
    want = (acc + bias + residual.astype(np.float32)).astype(_BF16)
    np.testing.assert_array_equal(got, want)


def test_epilogue_reads_int32_sums() -> None:
    """An int8 product to bf16: integer sums become fp32 as they are loaded."""
    acc = np.random.default_rng(1).integers(-(2**20), 2**20, (9, 16)).astype(np.int32)
    factors = _random(16) / 1000
    program = epilogue(scale="columns", activation="relu", out=Format.BF16)
    got = emulate(program, {"acc": acc, "scale": factors}, {"out": _BF16}, lanes=8)["out"]
    want = np.maximum(acc.astype(np.float32) * factors, 0).astype(_BF16)
    np.testing.assert_array_equal(got, want)


def test_epilogue_orders_residual_and_activation() -> None:
    acc, residual = _random(4, 8), _random(4, 8) - 1
    inputs = {"acc": acc, "residual": residual}
    for order, want in (
        ("before", np.maximum(acc + residual, 0)),
        ("after", np.maximum(acc, 0) + residual),
    ):
        program = epilogue(activation="relu", residual=order, out=Format.FP32)
        got = emulate(program, inputs, {"out": np.float32}, lanes=8)["out"]
        np.testing.assert_array_equal(got, want)


def test_epilogue_quantises() -> None:
    acc = _random(9, 16, scale=3.0)
    acc[0, :3] = 1e30, -1e30, np.inf
    program = epilogue(activation="gelu", scale="scalar", quantise=True, out=Format.INT8)
    assert program.scalars == ("scale", "out_scale", "zero_point")
    scalars = {"scale": 0.5, "out_scale": 20.0, "zero_point": -100}
    got = emulate(program, {"acc": acc}, {"out": np.int8}, scalars=scalars, lanes=8)["out"]
    floats = emulate(
        epilogue(activation="gelu", scale="scalar", out=Format.BF16),
        {"acc": acc}, {"out": np.float32}, scalars=scalars, lanes=8,
    )["out"]  # fmt: skip
    want = np.clip(np.rint(floats * np.float32(20)) - 100, -128, 127)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "swish"}, "activation must be one of relu, gelu, .*, not 'swish'"),
        ({"scale": 2.0}, "scale must be 'scalar', 'columns' or None, not 2.0"),
        ({"residual": True}, "residual must be 'before', 'after' or None, not True"),
        ({"quantise": True}, "out must be an integer format to quantise, not BF16"),
        (
            {"bias": True, "scale": "columns", "residual": "after"},
            "epilogue: a program must have at most 4 streams, not also 'out'",
        ),
    ],
)
def test_epilogue_refuses(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        epilogue(**options)
