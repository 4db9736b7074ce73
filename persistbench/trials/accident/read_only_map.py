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

from persistbench import backends, sandbox
from persistbench.backends import Backend
from persistbench.cells import attempt
from persistbench.integrity.answers import METHODS, answers_same, comparable
from persistbench.integrity.state import state
from persistbench.outcomes import Outcome, Verdict, explain
from persistbench.sandbox import child
from persistbench.trials import campaign, kinds, survival
from persistbench.trials.campaign import Record, Task, Trial

KIND = "read-only-map"
GROUP = kinds.ACCIDENT
VERSION = 1

LIMITS = survival.LIMITS

CONDITIONS = (*METHODS, "partial_fit")
"""The methods that are called."""


def tasks(selection: kinds.Selection) -> list[Task]:
    """Return a task for each estimator: it is fitted once for all backends that map."""
    mapping = [backend for backend in selection.backends if backend.claims.memory_maps]
    asked = {
        name: [
            campaign.trial(KIND, VERSION, name, backend.id, method)
            for backend in mapping
            for method in CONDITIONS
            if hasattr(kind, method)
        ]
        for name, (kind, _) in survival.instances().items()
    }
    return [Task(tuple(trials), make) for trials in asked.values() if trials]


def make(trials: Sequence[Trial]) -> list[Record]:
    """Return the records of one estimator's trials."""
    sandbox.preload("persistbench.sandbox.warm_libraries")
    ids = dict.fromkeys(trial.backend for trial in trials)
    with sandbox.folder() as folder:
        saved = _saved(trials[0].subject, tuple(ids), folder)
        result: dict[Trial, Verdict] = {}
        left = [trial for trial in trials if saved[trial.backend].same]
        while left:
            asked = tuple((trial.backend, str(trial.condition)) for trial in left)
            try:
                for verdict in sandbox.answers(_call, asked, folder, limits=LIMITS):
                    result[left.pop(0)] = verdict
            except sandbox.DeadError as death:  # the others go on in another child
                result[left.pop(0)] = death.verdict
    return [trial.record(result.get(trial, saved[trial.backend])) for trial in trials]


def _saved(name: str, backend_ids: tuple[str, ...], folder: Path) -> dict[str, Verdict]:
    """Let a child fit the estimator and save it; return the verdict of each backend."""
    known = backends.for_trials()
    result = {
        one: Verdict(Outcome.NOT_INSTALLED, known[one].unavailable)
        for one in backend_ids
        if known[one].missing
    }
    left = tuple(one for one in backend_ids if one not in result)
    try:
        verdicts = list(sandbox.answers(_save, name, left, folder, limits=LIMITS))
    except sandbox.DeadError as death:
        verdicts = [death.verdict] * len(left)
    return result | dict(zip(left, verdicts, strict=True))


def _save(name: str, backend_ids: tuple[str, ...], folder: Path) -> Iterator[Verdict]:
    """Yield the verdict of each backend; in a child process."""
    child.hush()
    try:
        case = survival.build(name)
        y = case.y
        if y is None:  # something that it can be fitted on further
            predict = getattr(case.estimator, "predict", None)
            y = predict(copy.deepcopy(case.X)) if predict else np.arange(survival.ROWS) % 2
        (folder / _ROWS).write_bytes(pickle.dumps((case.X, y), protocol=5))
    except Exception as error:
        yield from [child.of_exception(Outcome.ERROR_AT_BUILD, error)] * len(backend_ids)
        return
    for one in backend_ids:
        yield attempt.dump(backends.for_trials()[one], case.estimator, case.X, str(folder / one))


def _call(asked: tuple[tuple[str, str], ...], folder: Path) -> Iterator[Verdict]:
    """Yield the verdict of each backend and method; in a child process."""
    child.required()
    child.hush()
    rows = pickle.loads((folder / _ROWS).read_bytes())
    for backend_id, method in asked:
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


def _same(expected: Any, found: Any) -> bool:
    return expected == found if isinstance(expected, dict) else answers_same(expected, found)


_ROWS = ".rows"
