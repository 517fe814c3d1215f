"""Sizes and operands of products that several files of tests take."""

from typing import Any

import numpy as np
import pytest

__all__ = ["around", "int8"]


def around(size: int) -> list[Any]:
    """(m, k, n) below, at and above the side of an array of ``size`` x ``size``."""
    below, at, above = size - 1, size, size + 1
    return [
        pytest.param(1, 1, 1, id="one"),
        pytest.param(below, at, above, id="below-at-above"),
        pytest.param(at, above, below, id="at-above-below"),
        pytest.param(above, below, at, id="above-below-at"),
        pytest.param(at, at, at, id="exact"),
    ]


def int8(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Any int8 values, of ``shape``."""
    return rng.integers(-128, 128, shape, np.int8)
