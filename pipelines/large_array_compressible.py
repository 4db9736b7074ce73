"""Nearest neighbours over 32 MB of quantised, zero-heavy values: compression's best case.

One-hot columns, counts and rounded measurements kept as dense float64 look like this:
the same size as `large_array`, a fraction of the information.
"""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from persistbench import Case
from pipelines._data import labels


def build() -> Case:
    """Fit on 40,000 rows of 100 features, nine of ten values 0, the rest 1 to 8."""
    rng = np.random.default_rng(0)
    values = rng.integers(1, 9, (40_200, 100)) * (rng.random((40_200, 100)) < 0.1)
    X = values.astype(np.float64)
    classes = labels(X @ rng.standard_normal(100))
    estimator = KNeighborsClassifier(algorithm="brute").fit(X[:40_000], classes[:40_000])
    return Case(estimator, X[40_000:], classes[40_000:])
