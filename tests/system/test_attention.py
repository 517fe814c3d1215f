"""Multi-head attention, bit for bit its goldens one after the other."""

import ml_dtypes
import numpy as np
import pytest
from weft import Device
from weft.kernels import vector
from weft.microcode.emulate import emulate
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.golden import matmul_float, matmul_int8

BF16, E4M3 = ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn
MICRO = preset("micro")
MESH = preset("quad").replace_tile(formats=MICRO.tile.formats, transpose=True)

#: Batch, queries, keys, heads, depth, width, with their reasons.
_SHAPES = [
    pytest.param(1, 1, 1, 1, 8, 8, id="one"),
    pytest.param(1, 5, 7, 2, 8, 8, id="one-block"),
    pytest.param(2, 16, 16, 3, 16, 16, id="more-heads-than-tiles"),
    pytest.param(1, 70, 40, 2, 16, 24, id="queries-in-blocks"),
    pytest.param(1, 33, 33, 4, 12, 12, id="ragged"),
    pytest.param(1, 9, 24, 1, 8, 72, id="wide-values"),
]


def _run(program, source, mask, dtype, **scalars):
    operands = {"x": source} if mask is None else {"x": source, "mask": mask}
    return emulate(program, operands, {"out": np.dtype(dtype)}, scalars=scalars, lanes=8)["out"]


def _want(q, k, v, heads, scale, mask, causal, out_scale, dtype):
    """Head by head with the goldens."""
    batch, queries, keys = q.shape[0], q.shape[1], k.shape[1]
    depth, width = q.shape[2] // heads, v.shape[2] // heads
    is_float = q.dtype != np.int8
    softmax = vector.softmax(
        8, scale=True, mask=mask is not None, causal=causal, one_block=keys <= 8, fast=True
    )

    def product(a, b):
        kind = np.float32 if is_float else np.int8
        a, b = (np.ascontiguousarray(array.astype(kind)) for array in (a, b))
        return matmul_float(a, b, rows=8) if is_float else matmul_int8(a, b)

    found = np.zeros((batch, queries, heads * width), dtype)
    for image in range(batch):
        added = mask if mask is None or mask.ndim == 1 else mask[image]
        for head in range(heads):
            own, mine = (slice(head * size, (head + 1) * size) for size in (depth, width))
            sums = product(q[image, :, own], k[image, :, own].T)
            rows = {"row_offset": keys - queries} if causal else {}
            p = _run(softmax, sums, added, BF16, scale=scale, **rows)
            if q.dtype != BF16:
                factor = 1.0 if is_float else 127.0
                p = _run(vector.scale(saturate=True), p, None, q.dtype, factor=factor)
            sums = product(p, v[image, :, mine])
            factor = out_scale if is_float else out_scale / 127
            finish = vector.scale(saturate=np.dtype(dtype).itemsize == 1)
            found[image, :, mine] = _run(finish, sums, None, dtype, factor=factor)
    return found


def _operands(rng, shape, dtype):
    batch, queries, keys, heads, depth, width = shape
    sizes = ((queries, depth), (keys, depth), (keys, width))
    if dtype is np.int8:
        return [rng.integers(-127, 128, (batch, n, heads * w), np.int8) for n, w in sizes]
    return [rng.normal(size=(batch, n, heads * w)).astype(dtype) for n, w in sizes]


@pytest.fixture(scope="module", params=[MICRO, MESH], ids=["micro", "quad"])
def device(request):
    """A chip with every format that turns keys, of one tile or four."""
    with Device("model", request.param, dram=Dram(size_bytes=1 << 22), debug=True) as opened:
        yield opened


@pytest.mark.parametrize(
    ("dtype", "masking", "fused"),
    [
        (BF16, "none", True),
        (BF16, "keys", True),
        (BF16, "scores", True),
        (BF16, "causal", True),
        (BF16, "causal", False),
        (np.int8, "scores", True),
        (np.int8, "keys", False),
        (E4M3, "none", True),
    ],
)
@pytest.mark.parametrize(("batch", "queries", "keys", "heads", "depth", "width"), _SHAPES)
def test_attention(device, batch, queries, keys, heads, depth, width, dtype, masking, fused):
    """A head reads another one's keys, or a block of queries another one's mask."""
    shape = (batch, queries, keys, heads, depth, width)
    rng = np.random.default_rng(shape)
    q, k, v = _operands(rng, shape, dtype)
    scale = depth**-0.5 / (1800 if dtype is np.int8 else 1)
    mask = None
    if masking == "keys":
        mask = np.where(rng.random(keys) < 0.3, -np.inf, 0).astype(np.float32)
        mask[0] = 0
    elif masking == "scores":
        mask = rng.normal(size=(batch, queries, keys)).astype(BF16)
    causal = masking == "causal" and keys >= queries
    out_scale = 0.02 if dtype is np.int8 else None
    out_dtype = np.float32 if masking == "scores" else BF16
    want = _want(q, k, v, heads, scale, mask, causal, out_scale or 1.0, out_dtype)
    got = device.attention(
        q, k, v, heads=heads, scale=scale, mask=mask, causal=causal, out_scale=out_scale,
        out_dtype=out_dtype, fused=fused,
    ).numpy()  # fmt: skip
    np.testing.assert_array_equal(got.view(np.uint8), want.view(np.uint8))


def test_scores_never_leave_the_tile(device):
    """Scores or probabilities go through memory although they fit."""
    rng = np.random.default_rng(1)
    q, k, v = (device.array(x) for x in _operands(rng, (1, 32, 32, 2, 16, 16), BF16))
    out = device.empty((1, 32, 32), BF16)
    device.synchronize()
    for number in range(2):
        before = device.target.statistics()["bytes_written"]
        device.attention(q, k, v, heads=2, out=out).numpy()
        # the second time no programs are loaded
        written = device.target.statistics()["bytes_written"] - before
        assert written == out.nbytes, number
    exact = _exact(*(x.numpy().astype(np.float64) for x in (q, k, v)), heads=2)
    np.testing.assert_allclose(out.numpy().astype(np.float64), exact, atol=0.02)


def _exact(q, k, v, heads):
    depth = q.shape[2] // heads
    parts = []
    for head in range(heads):
        own = slice(head * depth, (head + 1) * depth)
        scores = q[0][:, own] @ k[0][:, own].T * depth**-0.5
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        parts.append(p / p.sum(axis=1, keepdims=True) @ v[0][:, own])
    return np.concatenate(parts, axis=1)[None]


def test_long_sequences(device):
    """Keys that do not fit a tile are said to fit, or are refused where memory would do."""
    rng = np.random.default_rng(2)
    q, k, v = _operands(rng, (1, 3, 1500, 1, 16, 16), BF16)
    want = _want(q, k, v, 1, 0.25, None, False, 1.0, BF16)
    np.testing.assert_array_equal(device.attention(q, k, v, heads=1), want)
    with pytest.raises(ValueError, match=r"1500 x 16 and 1500 x 16, must fit half of the scratch"):
        device.attention(q, k, v, heads=1, fused=True)


_X = np.ones((1, 4, 16), BF16)


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        ((_X, _X, _X), {"heads": 3}, ValueError, "heads must divide the columns of q and v, 16"),
        ((_X, _X, _X), {"heads": 1.0}, TypeError, "heads must be an integer"),
        ((_X[0], _X, _X), {"heads": 1}, ValueError, "q must have 3 dimensions"),
        ((_X, _X.astype(E4M3), _X), {"heads": 1}, TypeError, "k must have dtype bfloat16"),
        ((_X, np.ones((1, 4, 8), BF16), _X), {"heads": 1}, ValueError, r"k must have shape \(1, 4"),
        ((_X, _X, np.ones((1, 5, 16), BF16)), {"heads": 1}, ValueError, "v must have shape"),
        ((_X, _X, _X), {"heads": 1, "mask": _X}, ValueError, r"mask must have shape \(4,\) or"),
        (
            (_X, _X, _X),
            {"heads": 1, "mask": np.ones(4, np.int8)},
            TypeError,
            "mask must have dtype float32 or bfloat16, not int8",
        ),
        (
            tuple(x.astype(np.int8) for x in (_X, _X, _X)),
            {"heads": 1},
            ValueError,
            "out_scale must be given for int8 operands",
        ),
        (
            tuple(x.astype(ml_dtypes.int4) for x in (_X, _X, _X)),
            {"heads": 1},
            TypeError,
            "q must not have dtype int4",
        ),
    ],
)
def test_mistakes(device, arguments, options, kind, message):
    """A mistake in what attention is given ends in wrong numbers."""
    with pytest.raises(kind, match=message):
        device.attention(*arguments, **options)


def test_chips_that_cannot_turn():
    """A chip without the transposing load multiplies with keys as they are."""
    config = preset("quad").replace_tile(transpose=False)
    with (
        Device("model", config, dram=Dram(size_bytes=1 << 20)) as device,
        pytest.raises(ValueError, match="quad must be built with transpose, which turns keys"),
    ):
        device.attention(_X, _X, _X, heads=1)
