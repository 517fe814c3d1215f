"""Layers that stay on the device, and quantised networks."""

from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from operands import int8
from weft import Device
from weft.kernels import Linear, Sequential
from weft.quantise import quantise, quantise_mlp, reference
from weft_sim.dram import Dram
from weft_sim.golden import matmul_int8, requantise


def _network(rng: np.random.Generator, *sizes: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    weights = [rng.normal(0, k**-0.5, (k, n)) for k, n in pairwise(sizes)]
    return weights, [rng.normal(0, 0.1, n) for n in sizes[1:]]


def test_mlp_layer_by_layer(open_device):
    """A layer reads its input before the one before has written it, or another layer's weights."""
    rng = np.random.default_rng(1)
    weights, biases = _network(rng, 24, 40, 30, 10)
    data = rng.random((50, 24))
    layers = quantise_mlp(weights, biases, data)
    x = quantise(data, layers[0].input_scale)
    device = open_device("quad", debug=True)
    network = Sequential.of(device, layers)
    got = network(x).numpy()
    want = reference(layers, x)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, want)


def test_host_touches_no_activation(open_device):
    """Activations go back to the host between layers, or the host waits for each layer."""
    rng = np.random.default_rng(2)
    weights, biases = _network(rng, 16, 16, 16)
    data = rng.random((8, 16))
    layers = quantise_mlp(weights, biases, data)
    device = open_device()
    network = Sequential.of(device, layers)
    x = device.array(quantise(data, layers[0].input_scale))
    events = network.submit(x)
    assert not any(event.finished for event in events)
    np.testing.assert_array_equal(events[-1].wait(), reference(layers, x.numpy()))
    assert all(event.finished for event in events)


def test_residual_of_a_layer(open_device):
    """The residual is that of another layer, or is added before rounding."""
    rng = np.random.default_rng(3)
    device = open_device()
    weight = int8(rng, 12, 12)
    x = int8(rng, 9, 12)
    layer = Linear(device, weight, scale=0.01, zero_point=2, relu=True)
    np.testing.assert_array_equal(
        layer(x, residual=x), requantise(matmul_int8(x, weight), 0.01, 2, 2, residual=x)
    )


def test_layers_in_floating_point():
    """A layer's activation, bias or result is another's."""
    rng = np.random.default_rng(4)
    x = rng.integers(-4, 5, (9, 12)).astype(ml_dtypes.bfloat16)
    first, second = (rng.integers(-4, 5, (12, 12)).astype(ml_dtypes.bfloat16) for _ in range(2))
    bias = rng.integers(-9, 9, 12).astype(np.float32)
    with Device("model", "micro", dram=Dram(size_bytes=1 << 20), debug=True) as device:
        layers = [
            Linear(device, first, bias, activation="relu", out_dtype="bfloat16"),
            Linear(device, second, scale=0.5),
        ]
        got = Sequential(layers)(x).numpy()
        # small integers: all sums are exact, and so are the results of the first layer
        hidden = np.maximum(x.astype(np.float32) @ first.astype(np.float32) + bias, 0)
        assert np.abs(hidden).max() < 256
        np.testing.assert_array_equal(got, hidden @ second.astype(np.float32) * 0.5)
        with pytest.raises(TypeError, match="bias must have dtype float32, not int32"):
            Linear(device, first, bias.astype(np.int32))
