"""Seeded synthetic rows that several pipelines share."""

from typing import Any

import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

HELD_OUT = 500


def classes(n_samples: int, n_features: int, noise: float = 0.1) -> list[Any]:
    """Return X_train, X_held_out, y_train, y_held_out of a balanced two-class problem.

    Args:
        n_samples: rows for fitting, beside :data:`HELD_OUT` others.
        n_features: columns, half of them informative.
        noise: share of the labels that are random.
    """
    X, y = make_classification(
        n_samples=n_samples + HELD_OUT,
        n_features=n_features,
        n_informative=n_features // 2,
        flip_y=noise,
        random_state=0,
    )
    split: list[Any] = train_test_split(X, y, test_size=HELD_OUT, stratify=y, random_state=0)
    return split


def labels(scores: Any) -> Any:
    """Return names of two classes of equal size, split at the median of the scores."""
    return np.where(scores > np.median(scores), "yes", "no")
