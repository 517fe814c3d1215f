"""What a tile with every format computes, on the model and on the compiled RTL."""

import ml_dtypes
import numpy as np
import pytest
from test_attention import _want as attention_golden
from weft.gemm_operands import expected, random_operands
from weft.kernels import vector
from weft.kernels.vector import epilogue
from weft.microcode.emulate import emulate
from weft_hw.formats.table import Format
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.golden import matmul_float

BF16 = ml_dtypes.bfloat16


@pytest.fixture
def device(open_device):
    """The preset ``micro``."""
    return open_device("micro", debug=True, dram=Dram(size_bytes=1 << 21, latency_cycles=30))


def test_products_of_every_format(device):
    """A format is decoded otherwise than its golden, alone or after another one."""
    rng = np.random.default_rng(1)
    for number in range(3):
        for dtype in ("int8", "bf16", "int4", "fp8e4m3", "mxfp8", "fp8e5m2"):
            m, k, n = (int(size) for size in rng.integers(1, 60, 3))
            a, b = random_operands(device.config, dtype, m, k, n, number)
            got = device.matmul(a, b).numpy()
            want = expected(device.config, a, b)
            np.testing.assert_array_equal(got, want, err_msg=f"{dtype} {m}x{k}x{n}")


def test_a_layer_of_a_network(device):
    """A microprogram reads accumulators before they are whole, or another program's scalars."""
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(37, 40)).astype(BF16), rng.normal(size=(40, 37)).astype(BF16)
    bias = rng.normal(size=37).astype(np.float32)
    gamma, beta = rng.normal(size=(2, 37)).astype(np.float32)
    residual = rng.normal(size=(37, 37)).astype(BF16)
    layer = device.matmul_async(
        x, w, bias=bias, activation="gelu", residual=residual, residual_after=True,
        out_dtype=BF16,
    ).result  # fmt: skip
    normal = device.layer_norm(layer, gamma, beta)
    weights = device.softmax(normal, causal=True)
    out = device.add(weights, layer)
    sums = matmul_float(x.astype(np.float32), w.astype(np.float32), rows=8)
    program = epilogue(bias=True, activation="gelu", residual="after", out=Format.BF16)

    def run(program, operands, **scalars):
        found = emulate(program, operands, {"out": np.dtype(BF16)}, scalars=scalars, lanes=8)
        return found["out"]

    h = run(program, {"acc": sums, "bias": bias, "residual": residual})
    np.testing.assert_array_equal(layer, h)
    y = run(
        vector.layer_norm(8, ragged=True, fast=True), {"x": h, "gamma": gamma, "beta": beta},
        inverse_n=1 / 37, epsilon=1e-5, n=37,
    )  # fmt: skip
    np.testing.assert_array_equal(normal, y)
    p = run(vector.softmax(8, causal=True, fast=True), {"x": y}, row_offset=0)
    np.testing.assert_array_equal(weights, p)
    np.testing.assert_array_equal(out, run(vector.add(), {"x": p, "y": h}))


@pytest.mark.parametrize("dtype", [BF16, np.int8])
@pytest.mark.parametrize("fused", [True, False])
def test_attention(device, dtype, fused):
    """Keys are turned wrongly, or one job's scores overwrite another's."""
    rng = np.random.default_rng(3)
    q, k, v = (rng.normal(size=(1, n, 32)) for n in (21, 13, 13))
    if dtype is np.int8:
        q, k, v = (np.clip(np.rint(40 * x), -127, 127) for x in (q, k, v))
    q, k, v = (x.astype(dtype) for x in (q, k, v))
    mask = np.where(np.arange(13) < 11, 0, -np.inf).astype(np.float32)
    scale = 0.25 if dtype is BF16 else 0.25 / 1600
    got = device.attention(
        q, k, v, heads=2, scale=scale, mask=mask, out_scale=0.5, fused=fused
    ).numpy()
    want = attention_golden(q, k, v, 2, scale, mask, False, 0.5, BF16)
    np.testing.assert_array_equal(got, want)


def test_convolution(device):
    """A window of bfloat16 pixels begins at another one, or padding is not zero."""
    rng = np.random.default_rng(4)
    # small integers, whose sums are exact in any order
    x = rng.integers(-8, 9, (1, 9, 7, 12)).astype(BF16)
    w = rng.integers(-8, 9, (3, 3, 12, 10)).astype(BF16)
    padded = np.pad(x.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    want = sum(
        padded[:, dy : dy + 9 : 2, dx : dx + 7] @ w[dy, dx].astype(np.float64)
        for dy in range(3)
        for dx in range(3)
    )
    got = device.conv2d(x, w, stride=(2, 1), padding=1)
    np.testing.assert_array_equal(got, want)
    depthwise = rng.integers(-8, 9, (3, 3, 1, 12)).astype(BF16)
    want = sum(
        padded[:, dy : dy + 9, dx : dx + 7] * depthwise[dy, dx, 0].astype(np.float64)
        for dy in range(3)
        for dx in range(3)
    )
    got = device.conv2d(x, depthwise, padding=1, groups=12)
    np.testing.assert_array_equal(got, want)


def test_model_and_rtl_take_the_same_cycles(target):
    """The model's cycles of a product in some format are off by more than a hundredth."""
    from weft import gemm_report

    if target == "model":
        formats = preset("micro").tile.formats
        cycles = [gemm_report(40, 64, 40, name, "micro")["cycles"] for name in formats]
        # narrower operands take no longer to load
        assert max(cycles) < 1.3 * min(cycles)
        return
    for dtype in ("int8", "bf16", "mxfp8"):
        report = gemm_report(70, 80, 90, dtype, "micro", "rtl")
        assert report["bit_exact"], dtype
        assert abs(report["model_error"]) < 0.01, dtype
