"""A FunctionTransformer with a lambda and one with a closure: what plain pickle refuses.

Typed in a notebook every day, and noticed only when the model is to be saved.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from persistbench import Case
from pipelines._data import classes


def _clipper(limit: float) -> Callable[[Any], Any]:
    def clip(X: Any) -> Any:
        return np.clip(X, -limit, limit)

    return clip


def build() -> Case:
    """Fit on 1,000 rows of 20 features."""
    X, held_out, y, truth = classes(1_000, 20)
    estimator = make_pipeline(
        FunctionTransformer(lambda X: np.sqrt(np.abs(X))),
        FunctionTransformer(_clipper(2.0)),
        StandardScaler(),
        LogisticRegression(),
    ).fit(X, y)
    return Case(estimator, held_out, truth)
