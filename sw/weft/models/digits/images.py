"""Handwritten digits, split in the same way every time.

Data: "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, UCI Machine Learning
Repository, 1998, the 1,797 test images of 8 x 8 pixels as shipped with scikit-learn
(``sklearn.datasets.load_digits``).
"""

from __future__ import annotations

import numpy as np

__all__ = ["SEED", "split_digits"]

#: Seed of the split, and of what is trained on it.
SEED = 2026


def split_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images to train on (1198, 8, 8) and held out (599, 8, 8), float64 from 0 to 1, and the labels
    of both, int.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        data.images / 16.0, data.target, test_size=1 / 3, random_state=SEED, stratify=data.target
    )
    return train_x, test_x, train_y, test_y
