"""Does every estimator work on arrays that it may only read?

A memory map opened with ``r`` is read-only. Estimators whose compiled code asks for a buffer
that can be written to raise then, and those that do not ask may crash. Each method is called on
what a backend has mapped, and on what the same backend has loaded, and the answers are compared.
"""

import copy
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from persistbench import backends
from persistbench.backends import Backend
from persistbench.cells import attempt
from persistbench.integrity.answers import answers_same
from persistbench.integrity.arrays import comparable
from persistbench.integrity.asking import METHODS
from persistbench.integrity.state import State, state
from persistbench.outcomes import Outcome, Verdict, explain
from persistbench.sandbox import child
from persistbench.trials import base, survival
from persistbench.trials.base import Result, each, in_child
from persistbench.trials.trial import Trial

CALLED = (*METHODS, "partial_fit")
"""The methods that are called."""


class ReadOnlyMap(base.Kind):
    """Methods of each estimator that scikit-learn lists, which is fitted once for all backends."""

    name = "read-only-map"
    version = 1
    shared = ("subject",)

    @property
    def backends(self) -> Sequence[Backend]:
        return [backend for backend in self.selection.backends if backend.claims.memory_maps]

    @property
    def subjects(self) -> Sequence[str]:
        return tuple(survival.instances())

    def conditions(self, subject: str, backend: Backend) -> Sequence[str]:
        kind, _ = survival.instances()[subject]
        return [method for method in CALLED if hasattr(kind, method)]

    def results(self, trials: Sequence[Trial], folder: Path) -> Iterator[Result]:
        ids = list(dict.fromkeys(trial.backend for trial in trials))
        verdicts = each(_save, ids, trials[0].subject, folder, limits=self.limits)
        saved = dict(zip(ids, verdicts, strict=True))
        calls = [
            (trial.backend, str(trial.condition)) for trial in trials if saved[trial.backend].same
        ]
        called = each(_call, calls, folder, limits=self.limits)
        for trial in trials:
            verdict = saved[trial.backend]
            yield Result(next(called) if verdict.same else verdict)


@in_child
def _save(backend_ids: tuple[str, ...], name: str, folder: Path) -> Iterator[Verdict]:
    """Yield the verdict on the fit, then on the dump by each backend."""
    try:
        case = survival.build(name)
        y = case.y
        if y is None:  # something that it can be fitted on further
            predict = getattr(case.estimator, "predict", None)
            y = predict(copy.deepcopy(case.X)) if predict else np.arange(survival.ROWS) % 2
        (folder / _ROWS).write_bytes(pickle.dumps((case.X, y), protocol=5))
    except Exception as error:
        yield child.of_exception(Outcome.ERROR_AT_BUILD, error)
        return
    yield Verdict(Outcome.SAME)
    for one in backend_ids:
        yield attempt.dump(backends.for_trials()[one], case.estimator, case.X, str(folder / one))


@in_child
def _call(calls: tuple[tuple[str, str], ...], folder: Path) -> Iterator[Verdict]:
    """Yield that it may begin, then the verdict on each backend and method."""
    rows = pickle.loads((folder / _ROWS).read_bytes())
    yield Verdict(Outcome.SAME)
    for backend_id, method in calls:
        backend = backends.for_trials()[backend_id]
        yield _compared(backend, str(folder / backend_id), method, rows)


def _compared(backend: Backend, path: str, method: str, rows: tuple[Any, Any]) -> Verdict:
    """Compare what a method answers on a read-only map and without one."""
    loaded, verdict = attempt.load(backend, path)
    if not verdict.same:
        return verdict
    if not hasattr(loaded, method):
        return Verdict(Outcome.UNSUPPORTED, f"it has no {method}")
    try:
        expected = _answer(loaded, method, rows)
    except Exception as error:
        return Verdict(Outcome.UNSUPPORTED, f"fails without a map, too: {explain(error)}")
    mapped, verdict = attempt.load(backend, path, "r")
    if not verdict.same:
        return verdict
    try:
        if _same(expected, _answer(mapped, method, rows)):
            return verdict
    except Exception as error:
        return child.of_exception(Outcome.ERROR_AT_USE, error)
    if not _same(expected, _answer(backend.load(path), method, rows)):
        return Verdict(Outcome.SAME, "it answers otherwise each time, without a map, too")
    kind = getattr(getattr(expected, "dtype", None), "kind", "f")
    labels = method == "predict" and kind != "f"
    outcome = Outcome.LABELS_DIFFER if labels else Outcome.VALUES_DIFFER
    return Verdict(outcome, "not what it is without a map")


def _answer(estimator: Any, method: str, rows: tuple[Any, Any]) -> Any:
    """Return what a method answers, or what a further partial fit makes of the estimator."""
    X, y = copy.deepcopy(rows)
    if method != "partial_fit":
        return comparable(getattr(estimator, method)(X))
    estimator.partial_fit(X, y)
    return state(estimator)


def _same(expected: Any, answer: Any) -> bool:
    return expected == answer if isinstance(expected, State) else answers_same(expected, answer)


_ROWS = ".rows"
