"""What a pipeline file's ``build()`` returns."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """A fitted estimator and the rows that show whether a loaded copy is the same.

    Attributes:
        estimator: fitted, with at least one of ``predict``, ``predict_proba``,
            ``decision_function``, ``transform``.
        X: held-out rows, shape (n_rows, n_features); whatever the estimator accepts.
        y: the true classes of these rows, shape (n_rows,), where the estimator
            predicts classes; every class well represented, because an unbalanced
            or tiny set hides a broken load.
    """

    estimator: Any
    X: Any
    y: Any = None
