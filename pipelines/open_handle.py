"""An estimator with an open file and no __getstate__: what nobody can save.

The same estimator as in `custom_state` with the step forgotten: the error comes when the
model is trained and the job is about to end.
"""

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from persistbench import Case
from pipelines._data import classes
from pipelines._lookup import OpenLookup


def build() -> Case:
    """Fit on 1,000 rows of 20 features."""
    X, held_out, y, truth = classes(1_000, 20)
    estimator = make_pipeline(OpenLookup(), StandardScaler(), LogisticRegression()).fit(X, y)
    return Case(estimator, held_out, truth)
