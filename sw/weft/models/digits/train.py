"""Training in numpy: three convolutions, one product, softmax, Adam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .images import SEED, split_digits
from .quantised import QuantisedCnn, quantise_cnn
from .windows import fold, unfold

__all__ = ["TrainedDigits", "forward", "train_digits_cnn"]

#: Channels and stride of each convolution: 8 x 8, 4 x 4, 2 x 2 pixels.
CHANNELS, STRIDES = (16, 32, 32), (1, 2, 2)
_CLASSES = 10
_EPOCHS, _BATCH, _RATE = 20, 32, 2e-3

Parameters = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, slots=True)
class TrainedDigits:
    """A trained network and the images it has not seen.

    ``images`` (599, 8, 8, 1) int8, quantised; ``labels`` (599,) int.
    """

    network: QuantisedCnn
    images: np.ndarray
    labels: np.ndarray
    float_accuracy: float
    train_count: int


def train_digits_cnn() -> TrainedDigits:
    """Trains on two thirds of the images, holds out one third. Deterministic; some seconds."""
    from threadpoolctl import threadpool_limits

    train_x, test_x, train_y, test_y = split_digits()
    train_x, test_x = (images[..., None].astype(np.float32) for images in (train_x, test_x))
    # one thread: sums keep their order on any machine
    with threadpool_limits(1):
        parameters = _train(train_x, train_y)
        found = forward(parameters, test_x)[-1].argmax(axis=1)
        network = quantise_cnn(parameters, STRIDES, forward(parameters, train_x))
    return TrainedDigits(
        network=network,
        images=network.quantise(test_x),
        labels=test_y,
        float_accuracy=float((found == test_y).mean()),
        train_count=len(train_x),
    )


def forward(parameters: Sequence[tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> list[np.ndarray]:
    """The input, what each convolution gives after ReLU (B, H, W, C), and the logits (B, 10)."""
    found = [x]
    for (weight, bias), stride in zip(parameters, STRIDES, strict=False):
        rows = np.maximum(unfold(x, stride) @ weight + bias, 0)
        side = -(-x.shape[1] // stride)
        x = rows.reshape(len(x), side, side, -1)
        found.append(x)
    weight, bias = parameters[-1]
    return [*found, x.reshape(len(x), -1) @ weight + bias]


def _train(images: np.ndarray, labels: np.ndarray) -> Parameters:
    rng = np.random.default_rng(SEED)
    depths = (1, *CHANNELS[:-1])
    sizes = [(9 * depth, channels) for depth, channels in zip(depths, CHANNELS, strict=True)]
    sizes.append((4 * CHANNELS[-1], _CLASSES))
    flat = []
    for depth, columns in sizes:
        flat.append((rng.standard_normal((depth, columns)) * (2 / depth) ** 0.5).astype(np.float32))
        flat.append(np.zeros(columns, np.float32))
    moments = [(np.zeros_like(array), np.zeros_like(array)) for array in flat]
    step = 0
    for _ in range(_EPOCHS):
        order = rng.permutation(len(images))
        for first in range(0, len(order), _BATCH):
            step += 1
            chosen = order[first : first + _BATCH]
            gradients = _gradients(_paired(flat), images[chosen], labels[chosen])
            for array, (mean, square), gradient in zip(flat, moments, gradients, strict=True):
                mean += 0.1 * (gradient - mean)
                square += 0.001 * (gradient * gradient - square)
                size = np.sqrt(square / (1 - 0.999**step)) + 1e-8
                array -= _RATE * mean / (1 - 0.9**step) / size
    return _paired(flat)


def _paired(flat: list[np.ndarray]) -> Parameters:
    return list(zip(flat[0::2], flat[1::2], strict=True))


def _gradients(parameters: Parameters, x: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Of the mean cross entropy, in the order of weights and biases."""
    *layers, logits = forward(parameters, x)
    slope = np.exp(logits - logits.max(axis=1, keepdims=True))
    slope /= slope.sum(axis=1, keepdims=True)
    slope[np.arange(len(labels)), labels] -= 1
    slope /= len(labels)
    last = layers[-1].reshape(len(x), -1)
    found = [last.T @ slope, slope.sum(axis=0)]
    back = (slope @ parameters[-1][0].T).reshape(layers[-1].shape)
    for number in reversed(range(len(STRIDES))):
        rows = (back * (layers[number + 1] > 0)).reshape(-1, CHANNELS[number])
        windows = unfold(layers[number], STRIDES[number])
        found = [windows.T @ rows, rows.sum(axis=0), *found]
        if number:
            gradient = rows @ parameters[number][0].T
            back = fold(gradient, layers[number].shape, STRIDES[number])
    return found
