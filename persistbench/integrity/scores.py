"""What users know from their reports: accuracy, precision, recall, F1 and the confusion matrix."""

from typing import Any

import numpy as np


def scores(y: Any, predicted: Any) -> dict[str, Any]:
    """Return accuracy, macro precision, recall and F1, and the confusion matrix.

    Where a row has several labels, accuracy counts the rows with all labels right.

    Args:
        y: the true classes, shape (n_rows,), or of zeros and ones, shape (n_rows, n_labels).
        predicted: the predicted classes in the shape of ``y``.

    Returns:
        four numbers from 0 to 1, and nested lists of shape (n_classes, n_classes), or
        (n_labels, 2, 2).

    Raises:
        NoScoresError: there are no such scores for these classes.
    """
    from sklearn import metrics
    from sklearn.utils.multiclass import type_of_target

    kind = type_of_target(y)
    if kind not in ("binary", "multiclass", "multilabel-indicator"):
        columns = "y has several columns" if np.ndim(y) > 1 else "y holds no classes"
        raise NoScoresError(f"{columns} ({kind})")
    several = kind == "multilabel-indicator"
    matrix = metrics.multilabel_confusion_matrix if several else metrics.confusion_matrix
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        y, predicted, average="macro", zero_division=0
    )
    return {
        "accuracy": float(metrics.accuracy_score(y, predicted)),
        "precision": float(precision),
        "recall": float(recall),
        "F1": float(f1),
        "confusion matrix": matrix(y, predicted).tolist(),
    }


class NoScoresError(ValueError):
    """There are no scores for such classes; the text says why."""
