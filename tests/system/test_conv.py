"""Convolutions, bit for bit, through the driver."""

import ml_dtypes
import numpy as np
import pytest
from operands import int8
from weft import Device
from weft.kernels import Conv2d
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.golden import requantise

BF16 = ml_dtypes.bfloat16

#: Images, kernel and outputs, then stride, padding, dilation, groups; with their reasons.
_CASES = [
    pytest.param((1, 5, 5, 3), (3, 3), 4, (1, 1), (1, 1), (1, 1), 1, id="narrow"),
    pytest.param((2, 9, 7, 16), (3, 3), 20, (2, 1), (1, 0), (1, 1), 1, id="two-images"),
    pytest.param((1, 12, 12, 24), (3, 3), 24, (1, 1), (1, 1), (1, 1), 24, id="depthwise"),
    pytest.param((2, 10, 11, 40), (5, 3), 33, (2, 3), (2, 1), (2, 2), 1, id="dilated"),
    pytest.param((1, 14, 14, 8), (1, 1), 16, (2, 2), (0, 0), (1, 1), 1, id="pointwise"),
    pytest.param((1, 8, 8, 12), (3, 3), 18, (1, 1), (3, 2), (1, 1), 3, id="groups"),
    pytest.param((3, 6, 6, 64), (3, 3), 48, (1, 1), (1, 1), (1, 1), 1, id="k-in-pieces"),
    pytest.param((1, 50, 3, 4), (7, 3), 8, (1, 1), (3, 1), (1, 1), 2, id="tall"),
    pytest.param((1, 3, 3, 2), (3, 3), 5, (1, 1), (7, 9), (1, 1), 1, id="mostly-padding"),
]


def _sums(x, weight, stride, padding, dilation, groups, outside=0):
    """The convolution in float64."""
    batch, height, width, channels = x.shape
    kernel_height, kernel_width, depth, columns = weight.shape
    shape = (batch, height + 2 * padding[0], width + 2 * padding[1], channels)
    padded = np.full(shape, outside, np.float64)
    padded[:, padding[0] : padding[0] + height, padding[1] : padding[1] + width] = x
    down = (shape[1] - dilation[0] * (kernel_height - 1) - 1) // stride[0] + 1
    across = (shape[2] - dilation[1] * (kernel_width - 1) - 1) // stride[1] + 1
    out, own = np.zeros((batch, down, across, columns)), columns // groups
    for ky in range(kernel_height):
        for kx in range(kernel_width):
            y, x0 = ky * dilation[0], kx * dilation[1]
            window = padded[
                :,
                y : y + (down - 1) * stride[0] + 1 : stride[0],
                x0 : x0 + (across - 1) * stride[1] + 1 : stride[1],
            ]
            for group in range(groups):
                mine = slice(group * own, (group + 1) * own)
                part = window[..., group * depth : (group + 1) * depth]
                out[..., mine] += part @ weight[ky, kx][:, mine].astype(np.float64)
    return out


def _options(stride, padding, dilation, groups):
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


@pytest.mark.parametrize(
    ("shape", "kernel", "columns", "stride", "padding", "dilation", "groups"), _CASES
)
def test_int8(open_device, shape, kernel, columns, stride, padding, dilation, groups):
    """A window begins at another pixel, or a group sees another one's channels."""
    rng = np.random.default_rng(shape)
    device = open_device(debug=True)
    options = _options(stride, padding, dilation, groups)
    x = int8(rng, *shape)
    weight = int8(rng, *kernel, shape[3] // groups, columns)
    want = _sums(x, weight, **options)
    np.testing.assert_array_equal(device.conv2d(x, weight, **options), want)
    sums = _sums(x, weight, **options, outside=-3).astype(np.int32)
    scale = np.linspace(0.001, 0.01, columns).astype(np.float32)
    bias = np.arange(columns, dtype=np.int32)
    residual = rng.integers(-50, 50, sums.shape, np.int8)
    got = device.conv2d(
        x, weight, **options, pad_value=-3, scale=scale, bias=bias, residual=residual, relu=True
    )
    flat = [array.reshape(-1, columns) for array in (sums, residual)]
    want = requantise(flat[0], scale, 0, 0, 127, bias, flat[1])
    np.testing.assert_array_equal(got.numpy().reshape(-1, columns), want)


@pytest.mark.parametrize(
    ("shape", "kernel", "columns", "stride", "padding", "dilation", "groups"), _CASES
)
@pytest.mark.parametrize("mesh", [False, True])
def test_floats(mesh, shape, kernel, columns, stride, padding, dilation, groups):
    """Padding is not zero, or channels beyond a pixel's are its neighbour's."""
    rng = np.random.default_rng(shape)
    options = _options(stride, padding, dilation, groups)
    # small integers, whose sums are exact in any order
    x = rng.integers(-8, 9, shape).astype(BF16)
    weight = rng.integers(-8, 9, (*kernel, shape[3] // groups, columns)).astype(BF16)
    config = preset("micro")
    if mesh:
        config = preset("quad").replace_tile(formats=config.tile.formats)
    with Device("model", config, dram=Dram(size_bytes=1 << 22), debug=True) as device:
        got = device.conv2d(x, weight, **options).numpy()
        np.testing.assert_array_equal(got, _sums(x.astype(np.float32), weight, **options))


def test_layer_keeps_its_weights(open_device):
    """A layer copies its weights again for every image, or writes elsewhere than asked."""
    rng = np.random.default_rng(1)
    device = open_device()
    weight = int8(rng, 3, 3, 4, 6)
    layer = Conv2d(device, weight, padding=1)
    x = device.array(int8(rng, 1, 6, 6, 4))
    out = device.zeros((1, 6, 6, 6), np.int32)
    used = device.allocator.used_bytes
    assert layer(x, out=out) is out
    assert device.allocator.used_bytes == used
    want = _sums(x.numpy(), weight, (1, 1), (1, 1), (1, 1), 1)
    np.testing.assert_array_equal(out, want)


_X = np.zeros((1, 4, 4, 2), np.int8)
_W = np.zeros((3, 3, 2, 2), np.int8)


@pytest.mark.parametrize(
    ("x", "weight", "options", "kind", "message"),
    [
        (_X, _W, {"stride": 16}, ValueError, "stride must be between 1 and 15, not 16"),
        (_X, _W, {"stride": 0}, ValueError, "stride must be between 1 and 15, not 0"),
        (_X, _W, {"stride": 1.5}, TypeError, "stride must be an integer or a pair of them"),
        (_X, _W, {"padding": (1, 33)}, ValueError, "padding must be between 0 and 32"),
        (_X, _W, {"padding": (1, 2, 3)}, TypeError, "padding must be an integer or a pair"),
        (_X, _W, {"dilation": 2}, ValueError, "x must be at least as large as the kernel"),
        (_X, _W, {"groups": 0}, ValueError, "groups must be at least 1, not 0"),
        (_X, _W, {"groups": 2}, ValueError, r"x must have shape \(B, H, W, 4\), not \(1, 4, 4, 2"),
        (_X, _W[..., :1], {"groups": 2}, ValueError, "weight must be C-contiguous"),
        (_X, _W, {"pad_value": 128}, ValueError, "pad_value must be between -128 and 127"),
        (_X, _W[0], {}, ValueError, "weight must have 4 dimensions"),
        (_X[0], _W, {}, ValueError, "x must have 4 dimensions"),
        (_X, [1], {}, TypeError, "weight must be a numpy array, not list"),
        (_X, _W.astype(np.float32), {}, TypeError, "weight must have dtype int8, not float32"),
        (_X.astype(np.int32), _W, {}, TypeError, "x must have dtype int8, not int32"),
        (_X, np.zeros((65, 1, 2, 2), np.int8), {}, ValueError, "kernel sides of at most 64"),
        (np.zeros((1, 4096, 1, 2), np.int8), _W, {}, ValueError, "x must have sides of at most"),
        (_X, np.zeros((1, 1, 2, 3), np.int8), {"groups": 2}, ValueError, "2 groups share evenly"),
        (_X, _W, {"residual": _X}, ValueError, r"residual must have shape \(1, 2, 2, 2\)"),
    ],
)
def test_mistakes(x, weight, options, kind, message):
    """A convolution that the load engine cannot walk is computed wrongly."""
    with (
        Device("model", "nano", dram=Dram(size_bytes=1 << 21)) as device,
        pytest.raises(kind, match=message),
    ):
        device.conv2d(x, weight, **options)
