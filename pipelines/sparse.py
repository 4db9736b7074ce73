"""Nearest neighbours over a large CSR matrix: three long arrays of two types in one model.

Recommenders and text search keep their items as sparse rows inside the model.
"""

import numpy as np
import scipy.sparse
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from persistbench import Case

ITEMS, FEATURES, FILLED = 10_200, 10_000, 60

# skops asks about it: indices that sparse products follow without a check.
TRUSTED = ("scipy.sparse._csr.csr_array",)


def build() -> Case:
    """Fit on 10,000 rows of 10,000 features, 60 values in each: about 10 MB."""
    rng = np.random.default_rng(0)
    kind = np.arange(ITEMS) % 2
    # Items of one kind share a half of the features; three of four values lie there.
    inside = rng.random((ITEMS, FILLED)) < 0.75
    half = np.where(inside, kind[:, None], 1 - kind[:, None])
    columns = half * (FEATURES // 2) + rng.integers(0, FEATURES // 2, (ITEMS, FILLED))
    rows = np.repeat(np.arange(ITEMS), FILLED)
    X = scipy.sparse.csr_array(
        (rng.random(ITEMS * FILLED), (rows, columns.ravel())), shape=(ITEMS, FEATURES)
    )
    y = np.where(kind == 1, "book", "film")
    neighbours = KNeighborsClassifier(algorithm="brute", metric="cosine")
    estimator = make_pipeline(MaxAbsScaler(), neighbours).fit(X[:10_000], y[:10_000])
    return Case(estimator, X[10_000:], y[10_000:])
