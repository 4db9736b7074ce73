"""Nearest neighbours over 32 MB of random float64: one huge array, compression's worst case.

Embeddings with a nearest-neighbour search on top look like this: the model is its
training data, and its bits are noise.
"""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from persistbench import Case
from pipelines._data import labels


def build() -> Case:
    """Fit on 40,000 rows of 100 features: 4,000,000 numbers of 8 bytes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40_000, 100))
    held_out = rng.standard_normal((200, 100))
    direction = rng.standard_normal(100)
    estimator = KNeighborsClassifier(algorithm="brute").fit(X, labels(X @ direction))
    return Case(estimator, held_out, labels(held_out @ direction))
