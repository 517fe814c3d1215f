"""Pooling of images on the device."""

import ml_dtypes
import numpy as np
import pytest
from weft import Device
from weft_hw.presets import preset
from weft_sim.dram import Dram

BF16 = ml_dtypes.bfloat16
MICRO = preset("micro")
MESH = preset("quad").replace_tile(formats=MICRO.tile.formats)
#: Images, window, stride, padding.
_CASES = [
    pytest.param((1, 4, 4, 3), (2, 2), (2, 2), (0, 0), id="small"),
    pytest.param((2, 9, 7, 20), (3, 3), (2, 1), (1, 0), id="padded"),
    pytest.param((1, 12, 10, 8), (1, 2), (1, 2), (0, 1), id="two-taps"),
    pytest.param((1, 20, 20, 40), (4, 3), (3, 3), (2, 1), id="twelve-taps"),
    pytest.param((3, 5, 5, 70), (5, 5), (5, 5), (0, 0), id="global"),
]


@pytest.fixture(scope="module", params=[MICRO, MESH], ids=["micro", "quad"])
def device(request):
    """A chip with every format, of one tile or four."""
    with Device("model", request.param, dram=Dram(size_bytes=1 << 22), debug=True) as opened:
        yield opened


def _windows(x, window, stride, padding, outside):
    """(positions, B, OH, OW, C) of float64."""
    pads = ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0))
    padded = np.pad(x.astype(np.float64), pads, constant_values=outside)
    down = (padded.shape[1] - window[0]) // stride[0] + 1
    across = (padded.shape[2] - window[1]) // stride[1] + 1
    return np.stack(
        [
            padded[:, y : y + down * stride[0] : stride[0], c : c + across * stride[1] : stride[1]][
                :, :down, :across
            ]
            for y in range(window[0])
            for c in range(window[1])
        ]
    )


@pytest.mark.parametrize("dtype", [np.int8, BF16, np.float32])
@pytest.mark.parametrize(("shape", "window", "stride", "padding"), _CASES)
def test_max(device, shape, window, stride, padding, dtype):
    """A position of the window is left out, or what lies around the image wins."""
    rng = np.random.default_rng(shape)
    x = (10 * rng.normal(size=shape) - 30).astype(dtype)
    want = _windows(x, window, stride, padding, -np.inf).max(axis=0)
    got = device.max_pool2d(x, window, stride=stride, padding=padding)
    assert got.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(np.asarray(got).astype(np.float64), want)


@pytest.mark.parametrize("dtype", [np.int8, BF16])
@pytest.mark.parametrize(("shape", "window", "stride", "padding"), _CASES)
@pytest.mark.parametrize("counted", [False, True])
def test_average(device, shape, window, stride, padding, dtype, counted):
    """Another position or channel is counted, what lies around the image is or is not, or a mean is
    rounded twice.
    """
    rng = np.random.default_rng(shape)
    # integers: their sums are exact
    x = rng.integers(-100, 100, shape).astype(dtype)
    sums = _windows(x, window, stride, padding, 0).sum(axis=0).astype(np.float32)
    inside = _windows(np.ones(shape), window, stride, padding, float(counted)).sum(axis=0)
    mean = sums * (1 / inside).astype(np.float32)
    want = np.rint(mean).astype(np.int8) if dtype is np.int8 else mean.astype(BF16)
    got = device.average_pool2d(
        x, window, stride=stride, padding=padding, count_include_pad=counted
    )
    np.testing.assert_array_equal(got, want)


_X = np.ones((1, 6, 6, 4), np.int8)


@pytest.mark.parametrize(
    ("x", "window", "options", "kind", "message"),
    [
        (_X[0], 2, {}, ValueError, "x must have 4 dimensions"),
        (_X, 0, {}, ValueError, "window must be between 1 and 64, not 0"),
        (_X, 7, {}, ValueError, "x must be at least as large as the window"),
        (_X, 2, {"stride": 16}, ValueError, "stride must be between 1 and 15"),
        (_X, 2, {"padding": 2}, ValueError, "padding must be at most half of the window"),
        (np.ones((1, 20, 20, 4), np.int8), 20, {}, ValueError, "stride must be given for windows"),
        (_X.astype(ml_dtypes.float8_e4m3fn), 2, {}, TypeError, "x must not have dtype float8_e4m3"),
        (_X.astype(np.float64), 2, {}, TypeError, "x must have dtype int8 or"),
        (np.ones((1, 8, 8, 9000), np.int8), 8, {}, ValueError, "a window of 64 pixels with 9000"),
    ],
)
def test_mistakes(device, x, window, options, kind, message):
    """A geometry that the load engine cannot walk is pooled wrongly."""
    with pytest.raises(kind, match=message):
        device.max_pool2d(x, window, **options)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"padding": (0, 2)}, ValueError, "padding must be less than the window 2 where it is not"),
        ({"count_include_pad": 1}, TypeError, "count_include_pad must be True or False, not 1"),
    ],
)
def test_average_mistakes(device, options, kind, message):
    """A mean of no position at all."""
    with pytest.raises(kind, match=message):
        device.average_pool2d(_X, 2, **options)
