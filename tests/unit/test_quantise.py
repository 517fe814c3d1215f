"""Quantisation helpers, against hand-computed values and the float network."""

from itertools import pairwise

import numpy as np
import pytest
from weft.quantise import (
    activation_scale,
    dequantise,
    quantise,
    quantise_bias,
    quantise_mlp,
    quantise_weights,
    reference,
    requantisation,
)


def test_weights_use_the_whole_range_of_each_column():
    """One large column takes the precision of all others."""
    weights = np.array([[1.0, 0.001, 0.0], [-0.3, 0.0003, 0.0]])
    q, scale = quantise_weights(weights)
    assert q.tolist() == [[127, 127, 0], [-38, 38, 0]]
    assert scale.dtype == np.float32
    np.testing.assert_allclose(scale[:2], [1 / 127, 0.001 / 127], rtol=1e-6)
    q, scale = quantise_weights(weights, per_column=False)
    assert q.tolist() == [[127, 0, 0], [-38, 0, 0]]
    assert len(set(scale.tolist())) == 1


def test_error_is_half_a_step():
    """Values are truncated rather than rounded."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=1000)
    scale = activation_scale(values)
    q = quantise(values, scale)
    assert q.dtype == np.int8
    assert np.abs(q).max() == 127
    assert np.abs(dequantise(q, scale) - values).max() <= scale / 2 * 1.001
    assert quantise(np.array([0.5, 1.5, -0.5]), 1.0).tolist() == [0, 2, 0]


def test_values_beyond_the_scale_saturate():
    """A value beyond the calibrated range wraps to the other sign, or becomes -128."""
    assert quantise(np.array([1000.0, -1000.0]), 1.0).tolist() == [127, -127]


def test_bias_and_requantisation():
    """A bias is in units of the output, or the scales are multiplied the wrong way."""
    weight_scale = np.array([0.5, 0.25], np.float32)
    assert quantise_bias(np.array([1.0, -1.0]), 0.1, weight_scale).tolist() == [20, -40]
    np.testing.assert_allclose(requantisation(0.1, weight_scale, 0.2), [0.25, 0.125])


def test_network_follows_the_float_network():
    """A scale between two layers is wrong by a factor."""
    rng = np.random.default_rng(1)
    sizes = (32, 24, 16, 5)
    weights = [rng.normal(0, k**-0.5, (k, n)) for k, n in pairwise(sizes)]
    biases = [rng.normal(0, 0.1, n) for n in sizes[1:]]
    data = rng.random((200, 32))
    layers = quantise_mlp(weights, biases, data)
    x = data
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = x @ weight + bias
        if number < 2:
            x = np.maximum(x, 0)
    got = dequantise(
        reference(layers, quantise(data, layers[0].input_scale)), layers[-1].output_scale
    )
    assert np.abs(got - x).max() < 0.05 * np.abs(x).max()
    assert (got.argmax(axis=1) == x.argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: quantise_weights(np.ones((2, 2), int)),
            TypeError,
            "weights must be a numpy array of floats",
        ),
        (
            lambda: quantise_weights(np.ones(2)),
            ValueError,
            "weights must have 2 non-empty dimensions",
        ),
        (lambda: quantise_weights(np.full((1, 1), np.nan)), ValueError, "weights must be finite"),
        (lambda: activation_scale(np.array([np.inf])), ValueError, "values must be finite"),
        (lambda: quantise_mlp([], [], np.ones((1, 1))), ValueError, "at least one, not 0 and 0"),
        (lambda: quantise_mlp([np.ones((1, 1))], [], np.ones((1, 1))), ValueError, "not 1 and 0"),
    ],
)
def test_mistakes(call, kind, message):
    """Numbers that mean nothing are quantised all the same."""
    with pytest.raises(kind, match=message):
        call()
