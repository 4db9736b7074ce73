"""An estimator with an open file and a cache, dropped and restored by __getstate__/__setstate__.

Estimators that look things up (an index, a database, a table) hold what cannot be saved
and what should not be. This one does it right: compare `open_handle`.
"""

from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from persistbench import Case
from pipelines._data import classes
from pipelines._lookup import OpenLookup


class SavableLookup(OpenLookup):
    """Saves where its records are, and opens the table again when it is loaded."""

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        del state["handle_"], state["cache_"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.open_table()


# This module's own class.
TRUSTED = ("pipelines.custom_state.SavableLookup",)


def build() -> Case:
    """Fit on 1,000 rows of 20 features."""
    X, held_out, y, truth = classes(1_000, 20)
    estimator = make_pipeline(SavableLookup(), StandardScaler(), LogisticRegression()).fit(X, y)
    return Case(estimator, held_out, truth)
