"""A random forest of 200 trees, about 20 MB: hundreds of middle-sized arrays.

The workhorse of tabular data. Each tree restores itself from a copy of its arrays, so a
forest shows what a memory map cannot do.
"""

from sklearn.ensemble import RandomForestClassifier

from persistbench import Case
from pipelines._data import classes

# skops asks about it: its nodes hold indices that predict follows without a check.
TRUSTED = ("sklearn.tree._tree.Tree",)


def build() -> Case:
    """Fit on 5,000 rows of 20 features with a fifth of the labels random."""
    X, held_out, y, truth = classes(5_000, 20, noise=0.2)
    estimator = RandomForestClassifier(n_estimators=200, random_state=0, n_jobs=1).fit(X, y)
    return Case(estimator, held_out, truth)
