"""Histogram gradient boosting: hundreds of small tree predictors, each an object with arrays.

The default choice for tabular data today; scikit-learn's own fast kind.
"""

from sklearn.ensemble import HistGradientBoostingClassifier

from persistbench import Case
from pipelines._data import classes

# skops asks about it: its nodes and bins are indices that predict follows without a check.
TRUSTED = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)


def build() -> Case:
    """Fit 300 iterations on 5,000 rows of 20 features."""
    X, held_out, y, truth = classes(5_000, 20)
    estimator = HistGradientBoostingClassifier(
        max_iter=300, early_stopping=False, random_state=0
    ).fit(X, y)
    return Case(estimator, held_out, truth)
