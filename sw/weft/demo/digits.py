"""The digits classifier: real images, trained and quantised at run time, the same every time."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from ..models.digits.images import SEED, split_digits
from ..quantise import QuantisedLayer, quantise, quantise_mlp

__all__ = ["DigitsClassifier", "train_digits"]

#: Neurons of the hidden layers.
HIDDEN = (128, 64)


@dataclass(frozen=True, slots=True)
class DigitsClassifier:
    """A trained network and the images it has not seen.

    ``images`` (599, 64) int8, quantised for the first layer; ``labels`` (599,) int; ``layers`` as
    the device runs them.
    """

    layers: list[QuantisedLayer]
    images: np.ndarray
    labels: np.ndarray
    float_accuracy: float
    train_count: int


def train_digits() -> DigitsClassifier:
    """Trains on two thirds of the images, holds out one third. Deterministic; about a second."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    train_x, test_x, train_y, test_y = split_digits()
    train_x, test_x = (images.reshape(len(images), -1) for images in (train_x, test_x))
    network = MLPClassifier(hidden_layer_sizes=HIDDEN, max_iter=60, random_state=SEED)
    # one thread: the matrices are small, and sums keep their order on any machine
    with warnings.catch_warnings(), threadpool_limits(1):
        # a fixed number of epochs is wanted
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(train_x, train_y)
    layers = quantise_mlp(network.coefs_, network.intercepts_, train_x)
    return DigitsClassifier(
        layers=layers,
        images=quantise(test_x, layers[0].input_scale),
        labels=test_y,
        float_accuracy=float(network.score(test_x, test_y)),
        train_count=len(train_x),
    )
