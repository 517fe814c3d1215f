"""Products of all shapes and kinds, bit for bit, through the driver."""

import numpy as np
import pytest
from operands import around, int8
from weft import Device
from weft.kernels import plan_matmul
from weft_sim.dram import Dram
from weft_sim.golden import matmul_int8, requantise, vector_int32

#: Sizes for an array of 4 x 4 (nano) with their reasons.
_SHAPES = [
    *around(4),
    pytest.param(1, 37, 70, id="one-row"),
    pytest.param(70, 37, 1, id="one-column"),
    pytest.param(61, 1, 43, id="no-sum"),
    pytest.param(17, 300, 19, id="deep"),
    pytest.param(150, 6, 40, id="more-than-the-accumulator"),
    pytest.param(2, 3000, 3, id="k-beyond-the-scratchpad"),
    pytest.param(33, 130, 65, id="ragged"),
]


@pytest.mark.parametrize(("m", "k", "n"), _SHAPES)
def test_int32(open_device, m, k, n):
    """An edge is not masked, a block is added twice, or rows are stored to the wrong place."""
    rng = np.random.default_rng([m, k, n])
    device = open_device(debug=True)
    a, b = int8(rng, m, k), int8(rng, k, n)
    np.testing.assert_array_equal(device.matmul(a, b), matmul_int8(a, b))


@pytest.mark.parametrize(("m", "k", "n"), _SHAPES)
def test_int8_with_everything(open_device, m, k, n):
    """Bias, scale or residual of another column or row is used."""
    rng = np.random.default_rng([m, k, n, 8])
    device = open_device(debug=True)
    a, b = int8(rng, m, k), int8(rng, k, n)
    bias = rng.integers(-(2**20), 2**20, n, dtype=np.int32)
    scale = (rng.random(n, dtype=np.float32) + np.float32(0.1)) * np.float32(0.01)
    residual = int8(rng, m, n)
    got = device.matmul(
        a, b, bias=bias, scale=scale, residual=residual, zero_point=-5, clamp=(-100, 90)
    )
    want = requantise(matmul_int8(a, b), scale, -5, -100, 90, bias, residual)
    np.testing.assert_array_equal(got, want)


def test_bias_of_int32_results(open_device):
    """A bias is forgotten, or added once for each block of K."""
    rng = np.random.default_rng(4)
    device = open_device(debug=True)
    a, b = int8(rng, 23, 600), int8(rng, 600, 50)
    bias = rng.integers(-(2**31), 2**31, 50, dtype=np.int32)
    np.testing.assert_array_equal(
        device.matmul(a, b, bias=bias), vector_int32(matmul_int8(a, b), bias)
    )


def test_relu_is_at_the_zero_point(open_device):
    """ReLU cuts at zero where the zero point is elsewhere."""
    rng = np.random.default_rng(6)
    device = open_device()
    a, b = int8(rng, 9, 9), int8(rng, 9, 9)
    got = device.matmul(a, b, scale=0.001, zero_point=20, relu=True).numpy()
    np.testing.assert_array_equal(got, requantise(matmul_int8(a, b), 0.001, 20, 20))
    assert got.min() == 20


def test_largest_sums(open_device):
    """A sum of largest products wraps."""
    device = open_device("nano", dram=Dram(size_bytes=1 << 22))
    k = 65_535
    a, b = np.full((2, k), -128, np.int8), np.full((k, 2), -128, np.int8)
    assert (device.matmul(a, b).numpy() == k * 2**14).all()


@pytest.mark.parametrize("stall", [0.0, 0.3])
@pytest.mark.parametrize("latency", [1, 400])
def test_any_memory(open_device, stall, latency):
    """Slow or stalling memory changes results, or loses a semaphore."""
    rng = np.random.default_rng(latency)
    dram = Dram(
        size_bytes=1 << 20, latency_cycles=latency, stall_probability=stall, bytes_per_cycle=2
    )
    device = open_device(dram=dram)
    for m, k, n in ((30, 50, 40), (7, 200, 9)):
        a, b = int8(rng, m, k), int8(rng, k, n)
        np.testing.assert_array_equal(device.matmul(a, b), matmul_int8(a, b))


@pytest.mark.parametrize("tiles", [1, 2, 3, 4])
def test_tiles_of_a_mesh(open_device, tiles):
    """A tile computes another's part, or the parts leave a gap."""
    rng = np.random.default_rng(tiles)
    device = open_device("quad", debug=True)
    a, b = int8(rng, 75, 90), int8(rng, 90, 61)
    scale = np.full(61, 0.002, np.float32)
    residual = int8(rng, 75, 61)
    np.testing.assert_array_equal(device.matmul(a, b, tiles=tiles), matmul_int8(a, b))
    np.testing.assert_array_equal(
        device.matmul(a, b, scale=scale, residual=residual, tiles=tiles),
        requantise(matmul_int8(a, b), scale, residual=residual),
    )


def test_resident_operands(open_device):
    """A resident product reads operands that were not loaded."""
    rng = np.random.default_rng(2)
    device = open_device("quad", debug=True)
    a, b = int8(rng, 60, 70), int8(rng, 70, 50)
    np.testing.assert_array_equal(device.matmul(a, b, resident=True), matmul_int8(a, b))
    scale = np.full(50, 0.002, np.float32)
    np.testing.assert_array_equal(
        device.matmul(a, b, scale=scale, resident=True), requantise(matmul_int8(a, b), scale)
    )


def test_buffers_stay_where_they_are(open_device):
    """A product of buffers copies them, or writes elsewhere than asked."""
    rng = np.random.default_rng(9)
    device: Device = open_device()
    a, b = device.array(int8(rng, 20, 30)), device.array(int8(rng, 30, 10))
    out = device.zeros((20, 10), np.int32)
    used = device.allocator.used_bytes
    event = device.matmul_async(a, b, out=out)
    assert device.allocator.used_bytes == used
    assert event.wait() is out
    np.testing.assert_array_equal(out, matmul_int8(a.numpy(), b.numpy()))


def test_nothing_else_is_written(open_device):
    """A store writes beyond the rows or columns of the result."""
    rng = np.random.default_rng(10)
    device = open_device()
    a, b = device.array(int8(rng, 21, 33)), device.array(int8(rng, 33, 13))
    before = device.empty((256,), np.uint8)
    out = device.empty((21, 13), np.int32)
    after = device.empty((256,), np.uint8)
    before.numpy()[...] = after.numpy()[...] = 0x5A
    end = out.address + out.nbytes
    device.target.memory[end : after.address] = 0x5A
    device.matmul(a, b, out=out)
    assert (before.numpy() == 0x5A).all()
    assert (after.numpy() == 0x5A).all()
    assert (device.target.memory[end : after.address] == 0x5A).all()


def test_a_sixteen_tile_mesh():
    """More tiles than commands in flight allow starve one another for ever."""
    rng = np.random.default_rng(16)
    with Device("model", "mesh16", dram=Dram(size_bytes=1 << 22), debug=True) as device:
        a, b = int8(rng, 200, 300), int8(rng, 300, 170)
        np.testing.assert_array_equal(device.matmul(a, b), matmul_int8(a, b))


@pytest.mark.parametrize(("m", "k", "n"), [(64, 300, 64), (130, 520, 96)])
def test_shared_operands(open_device, m, k, n):
    """A piece of the left operand arrives before the one it replaces was used."""
    rng = np.random.default_rng([m, k, n])
    dram = Dram(size_bytes=1 << 21, bytes_per_cycle=2)
    device = open_device("quad", debug=True, dram=dram)
    a, b = int8(rng, m, k), int8(rng, k, n)
    planned = plan_matmul(device, a, b)
    assert planned.plan.sharing.sides > 0
    planned.run(device).wait()
    np.testing.assert_array_equal(planned.out, matmul_int8(a, b))
    scale = np.full(n, 0.002, np.float32)
    residual = int8(rng, m, n)
    np.testing.assert_array_equal(
        device.matmul(a, b, scale=scale, residual=residual),
        requantise(matmul_int8(a, b), scale, residual=residual),
    )
