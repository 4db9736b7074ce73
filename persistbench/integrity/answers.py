"""Does a loaded pipeline answer as the pipeline that was saved?

Predictions, probabilities, decision values and transforms are compared bit for bit. Then accuracy,
precision, recall, F1 (macro averages) and the confusion matrix on the held-out rows are compared.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from persistbench.backends import Claims
from persistbench.case import Case
from persistbench.outcomes import Outcome, Verdict

_EXACT = Claims()

METHODS = ("predict", "predict_proba", "decision_function", "transform")


@dataclass(frozen=True)
class Reference:
    """The answers of the original to the held-out rows, right after its fit.

    Attributes:
        X: the rows, as in :class:`~persistbench.case.Case`, shape (n_rows, n_features).
        y: the true classes, shape (n_rows,), or None.
        outputs: the answer of each method, as :func:`comparable` returns it. Methods of
            :data:`METHODS` count if the estimator has them and answers twice the same.
        structure: see :func:`structure`.
        scores: see :func:`scores`; empty where no classes are predicted.
        random: the methods that answer twice differently; they are not compared.
    """

    X: Any
    y: Any
    outputs: dict[str, Any]
    structure: dict[str, str]
    scores: dict[str, Any]
    random: tuple[str, ...] = ()

    @property
    def first_use(self) -> str:
        """The method that a user calls first after a load."""
        return next(name for name in METHODS if name in self.outputs or name in self.random)


def reference(case: Case, needs_use: bool = True) -> Reference:
    """Return the answers of the original, which is asked twice.

    Args:
        case: the original and its held-out rows.
        needs_use: whether an estimator without any of :data:`METHODS` is an error. If not, the
            result holds only its structure.

    Raises:
        ValueError: the estimator has none of :data:`METHODS`.
        Exception: the estimator's own exception.
    """
    first, again = (_outputs(case.estimator, case.X) for _ in range(2))
    if not first and needs_use:
        raise ValueError(f"the estimator has none of {', '.join(METHODS)}")
    outputs = {
        name: result for name, result in first.items() if _identical(result, again.get(name))
    }
    classifies = case.y is not None and "predict" in outputs
    classifies = classifies and getattr(case.estimator, "classes_", None) is not None
    return Reference(
        case.X,
        case.y,
        outputs,
        structure(case.estimator),
        scores(case.y, outputs["predict"]) if classifies else {},
        tuple(name for name in first if name not in outputs),
    )


def compare(original: Reference, loaded: Any, claims: Claims = _EXACT) -> Verdict:
    """Return the verdict on a loaded pipeline: the worst difference from the original.

    Args:
        original: the answers of the original.
        loaded: the loaded pipeline.
        claims: of the backend. A predictor is asked only what it can answer, and has no
            structure. Numbers may differ within the tolerance.

    Raises:
        Exception: the loaded pipeline's own exception.
    """
    outputs = _outputs(loaded, original.X)
    if claims.returns == "predictor":
        outputs = {
            name: _as_expected(_dense(original.outputs[name]), result)
            for name, result in outputs.items()
            if name in original.outputs
        }
        if not outputs:
            return Verdict(Outcome.ERROR_AT_USE, "it answers nothing that the original answers")
    expected = original.outputs
    if claims.returns == "predictor":
        expected = {name: _dense(expected[name]) for name in outputs}
    differing = {
        name: _describe_difference(output, outputs.get(name))
        for name, output in expected.items()
        if not _close(output, outputs.get(name), claims.tolerance)
    }
    largest = _largest_difference(expected, outputs) if claims.tolerance else None
    changes = 0
    if "predict" in differing:
        changes = _count_changed_rows(original.outputs["predict"], outputs.get("predict"))
    found_scores = {}
    if original.scores and "predict" in outputs and "predict" in original.outputs:
        found_scores = scores(original.y, outputs["predict"])
    reasons = [f"{name}: {text}" for name, text in differing.items()]
    reasons += [
        f"{name} {_short(before)} -> {_short(found_scores.get(name))}"
        for name, before in original.scores.items()
        if not _identical(np.asarray(before), np.asarray(found_scores.get(name)))
    ]
    label_changes = changes if "predict" in original.outputs else None
    if reasons:
        labels = changes > 0 and bool(original.scores)
        outcome = Outcome.LABELS_DIFFER if labels else Outcome.VALUES_DIFFER
        inexact = claims.tolerance > 0
        return Verdict(outcome, "; ".join(reasons), label_changes, largest, by_design=inexact)
    if claims.returns == "predictor":
        return Verdict(Outcome.SAME, "", label_changes, largest)
    found_structure = structure(loaded)
    if found_structure != original.structure:
        changed = sorted(original.structure.items() ^ found_structure.items())
        return Verdict(
            Outcome.STATE_DIFFERS,
            "structure: " + ", ".join(f"{name} {kind}" for name, kind in changed),
            label_changes,
        )
    return Verdict(Outcome.SAME, label_changes=label_changes)


def answers_same(expected: Any, output: Any, claims: Claims = _EXACT) -> bool:
    """Return whether an output equals the original's, bit for bit or within the tolerance.

    Args:
        expected: an entry of :attr:`Reference.outputs`; None if the method answers at random.
        output: the answer of the same method of a loaded pipeline.
        claims: of the backend.
    """
    if expected is None:
        return True
    result = comparable(output)
    if claims.returns == "predictor":
        expected = _dense(expected)
        result = _as_expected(expected, result)
    return _close(expected, result, claims.tolerance)


def structure(estimator: Any) -> dict[str, str]:
    """Return class names by parameter name: of the estimator (name "") and of nested estimators.

    The value of a parameter ``steps`` is the names of the steps.
    """
    result = {"": _class_name(estimator)}
    if hasattr(estimator, "get_params"):
        for name, value in estimator.get_params(deep=True).items():
            if hasattr(value, "get_params"):
                result[name] = _class_name(value)
            elif name.split("__")[-1] == "steps" and isinstance(value, list):
                result[name] = ", ".join(str(step[0]) for step in value)
    return result


def scores(y: Any, predicted: Any) -> dict[str, Any]:
    """Return accuracy, macro precision, recall and F1, and the confusion matrix.

    Args:
        y: the true classes, shape (n_rows,).
        predicted: the predicted classes, shape (n_rows,).

    Returns:
        four numbers from 0 to 1, and nested lists of shape (n_classes, n_classes).
    """
    from sklearn import metrics

    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        y, predicted, average="macro", zero_division=0
    )
    return {
        "accuracy": float(metrics.accuracy_score(y, predicted)),
        "precision": float(precision),
        "recall": float(recall),
        "F1": float(f1),
        "confusion matrix": metrics.confusion_matrix(y, predicted).tolist(),
    }


def _outputs(estimator: Any, X: Any) -> dict[str, Any]:
    with one_thread():
        return {
            name: comparable(getattr(estimator, name)(X))
            for name in METHODS
            if hasattr(estimator, name)
        }


def one_thread() -> Any:
    """Return a context in which OpenMP and BLAS use one thread.

    Answers can depend on the number of threads: sums are rounded in another order, and another
    one of equally near neighbours is chosen. The two processes that ask may have other cores.
    """
    return threadpool_limits(limits=1)


def comparable(output: Any) -> Any:
    """Return a copy of an output as arrays.

    Returns:
        an array; a tuple of data, indices, indptr and shape for a sparse matrix; a tuple of such
        for a list or a tuple.
    """
    if hasattr(output, "tocsr"):
        matrix = output.tocsr()
        parts = (matrix.data, matrix.indices, matrix.indptr, matrix.shape)
        return tuple(np.array(part) for part in parts)
    if isinstance(output, (list, tuple)):  # one array per output or per class
        return tuple(comparable(part) for part in output)
    return np.array(output)  # a copy: the original may change it later


def _identical(expected: Any, found: Any) -> bool:
    if isinstance(expected, tuple):
        return (
            isinstance(found, tuple)
            and len(expected) == len(found)
            and all(_identical(*pair) for pair in zip(expected, found, strict=True))
        )
    if not isinstance(found, np.ndarray):
        return False
    if expected.dtype != found.dtype or expected.shape != found.shape:
        return False
    if expected.dtype.hasobject:
        return bool(np.array_equal(expected, found)) or _reprs(expected) == _reprs(found)
    return bool(expected.tobytes() == found.tobytes())


def _close(expected: Any, found: Any, tolerance: float) -> bool:
    """Return whether an answer is the same; floats may differ within a tolerance."""
    numbers = isinstance(expected, np.ndarray) and expected.dtype.kind == "f"
    if not tolerance or not numbers or not isinstance(found, np.ndarray):
        return _identical(expected, found)
    return expected.shape == found.shape and bool(
        np.allclose(expected, found, rtol=tolerance, atol=tolerance, equal_nan=True)
    )


def _as_expected(expected: Any, found: Any) -> Any:
    """Return a predictor's answer in the shape and type of the original's, if no value changes.

    A graph answers with floats of single precision, and with one column where scikit-learn has
    a flat array.
    """
    arrays = isinstance(expected, np.ndarray) and isinstance(found, np.ndarray)
    if arrays and expected.size == found.size and len(expected) == len(found):
        found = found.reshape(expected.shape)
    kinds = (expected.dtype.kind, found.dtype.kind) if arrays else ("", "")
    if arrays and (kinds == ("f", "f") or set(kinds) <= set("iu") or set(kinds) <= set("OUT")):
        found = found.astype(expected.dtype)
    return found


def _dense(output: Any) -> Any:
    """Return an answer as an array, also if :func:`comparable` took a sparse matrix apart."""
    if isinstance(output, tuple) and len(output) == 4 and output[-1].shape == (2,):
        from scipy.sparse import csr_array

        data, indices, starts, shape = output
        return csr_array((data, indices, starts), shape=tuple(shape)).toarray()
    return output


def _largest_difference(expected: dict[str, Any], found: dict[str, Any]) -> float:
    largest = 0.0
    for name, output in found.items():
        known = expected.get(name)
        if isinstance(known, np.ndarray) and known.dtype.kind == "f":
            if known.shape != getattr(output, "shape", None):
                return float("inf")
            finite = np.isfinite(known) & np.isfinite(output)
            largest = max(largest, float(np.max(np.abs(known - output)[finite], initial=0.0)))
    return largest


def _reprs(array: Any) -> list[str]:
    """Return the elements as texts: a missing value then equals itself."""
    return [repr(value) for value in array.ravel().tolist()]


def _changed(expected: Any, found: Any) -> Any:
    """Return which rows differ, shape (n_rows,), or None if rows cannot be compared."""
    arrays = isinstance(expected, np.ndarray) and isinstance(found, np.ndarray)
    if not arrays or expected.shape != found.shape or expected.ndim == 0:
        return None
    different = expected != found
    if expected.dtype.kind in "fc" and found.dtype.kind in "fc":
        different &= ~(np.isnan(expected) & np.isnan(found))
    return np.asarray(different).reshape(len(expected), -1).any(axis=1)


def _count_changed_rows(expected: Any, found: Any) -> int:
    changed = _changed(expected, found)
    return len(expected) if changed is None else int(changed.sum())


def _describe_difference(expected: Any, found: Any) -> str:
    if found is None:
        return "the loaded pipeline has no such method"
    changed = _changed(expected, found)
    if changed is None:
        return "values, type or shape differ"
    if not changed.any():
        return f"equal, but not bit for bit ({expected.dtype} -> {found.dtype})"
    first = int(np.flatnonzero(changed)[0])
    return (
        f"{int(changed.sum())} of {len(expected)} rows differ, the first is row {first}: "
        f"{_short(expected[first])} -> {_short(found[first])}"
    )


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _class_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
