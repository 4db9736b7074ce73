"""A scaler and a logistic regression: a few kilobytes, so fixed costs are all there is.

Most models in production are like this one: tabular, linear, small. What counts is what
a format costs before the first byte.
"""

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from persistbench import Case
from pipelines._data import classes


def build() -> Case:
    """Fit on 1,000 rows of 20 features."""
    X, held_out, y, truth = classes(1_000, 20)
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    return Case(estimator, held_out, truth)
