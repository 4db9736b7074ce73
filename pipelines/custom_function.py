"""A FunctionTransformer with functions of an imported module: saved by name, not by code.

Feature engineering in a module of one's own is the usual case. The file holds only the
functions' names: it opens where the module can be imported, and nowhere else.
"""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from persistbench import Case
from pipelines._data import classes


def signed_log(X: Any) -> Any:
    """Return log(1 + |x|) with the sign of x, same shape."""
    return np.sign(X) * np.log1p(np.abs(X))


def with_ratios(X: Any) -> Any:
    """Return X with the ratio of each column to the next appended, shape (n, 2 m - 1)."""
    return np.hstack([X, X[:, :-1] / (1.0 + np.abs(X[:, 1:]))])


# This module's own functions, which the pipeline calls.
TRUSTED = ("pipelines.custom_function.signed_log", "pipelines.custom_function.with_ratios")


def build() -> Case:
    """Fit on 1,000 rows of 20 features."""
    X, held_out, y, truth = classes(1_000, 20)
    estimator = make_pipeline(
        FunctionTransformer(signed_log),
        FunctionTransformer(with_ratios),
        StandardScaler(),
        LogisticRegression(),
    ).fit(X, y)
    return Case(estimator, held_out, truth)
