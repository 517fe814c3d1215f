"""Layers that stay on the device, and quantised networks."""

from itertools import pairwise

import numpy as np
from weft.kernels import Linear, Sequential
from weft.quantise import quantise, quantise_mlp, reference
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
    weight = rng.integers(-128, 128, (12, 12), dtype=np.int8)
    x = rng.integers(-128, 128, (9, 12), dtype=np.int8)
    layer = Linear(device, weight, scale=0.01, zero_point=2, relu=True)
    np.testing.assert_array_equal(
        layer(x, residual=x), requantise(matmul_int8(x, weight), 0.01, 2, 2, residual=x)
    )
