"""The program of the trials of exactness: opens one artifact in an interpreter of its own.

This interpreter has never seen what was saved. It has the artifact, the held-out rows, what the
fresh pipeline answered and told, and the installed libraries.
"""

import copy
import filecmp
import json
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from msgspec import structs

from persistbench import backends
from persistbench.backends import Backend
from persistbench.cells import attempt
from persistbench.integrity.answers import Reference
from persistbench.integrity.asking import METHODS, one_thread
from persistbench.integrity.scores import NoScoresError, scores
from persistbench.integrity.state import State, differences, state
from persistbench.measure.steps import costs
from persistbench.outcomes import Blame, Outcome, Verdict, explain, of_exception

WEIGHED = ("pickle-5", "joblib", "skops")
"""The backends whose artifacts are taken apart into steps."""

SET_ROWS = 1_000
"""Rows of the sets that metrics are computed on; drawn from the held-out ones."""


def failed(why: BaseException | str) -> str:
    """Return the text of a check that cannot be made, which blames nobody."""
    return f"n/a: our check fails, {why if isinstance(why, str) else explain(why)}"


def _parameters(estimator: Any, X: Any, y: Any) -> Any:
    return state(estimator.get_params())


def _clone(estimator: Any, X: Any, y: Any) -> Any:
    from sklearn.base import clone

    return state(clone(estimator))


def _refit(estimator: Any, X: Any, y: Any) -> Any:
    """Fit a clone on the held-out rows, and ask it; there is nothing to compare then."""
    from sklearn.base import clone

    again = clone(estimator).fit(X, y)
    getattr(again, next(name for name in METHODS if hasattr(again, name)))(X)
    return state(None)


def metrics(estimator: Any, X: Any, y: Any) -> dict[str, Any]:
    """Return the scores on a balanced set and on one with 1 % of the last class.

    Both are drawn from the rows, with replacement and a fixed seed.

    Args:
        estimator: predicts classes.
        X: rows.
        y: their true classes, shape (n_rows,).
    """
    import numpy as np

    y = np.asarray(y)
    classes = np.unique(y)
    rng = np.random.default_rng(0)
    rare = SET_ROWS // 100
    counts = {
        "balanced": {one: SET_ROWS // len(classes) for one in classes},
        "rare": {one: (SET_ROWS - rare) // (len(classes) - 1) for one in classes[:-1]}
        | {classes[-1]: rare},
    }
    result = {}
    for name, by_class in counts.items():
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(y == one), count) for one, count in by_class.items()]
        )
        result[name] = scores(y[rows], np.asarray(estimator.predict(_rows(X, rows))))
    return result


def _rows(X: Any, rows: Any) -> Any:
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    return [X[row] for row in rows] if isinstance(X, list) else X[rows]


def _metrics(estimator: Any, X: Any, y: Any) -> dict[str, Any]:
    """Return the metrics; none where no classes are predicted, or several for each row."""
    import numpy as np

    if y is None or np.ndim(y) != 1 or getattr(estimator, "classes_", None) is None:
        return {}
    try:
        return metrics(estimator, X, y)
    except NoScoresError:
        return {}


METRICS = "metrics"

FACTS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "parameters": _parameters,
    "clone": _clone,
    METRICS: _metrics,
    "refit": _refit,
}
"""What the fresh pipeline tells, and then the loaded one, from estimator, rows and truth."""


@dataclass(frozen=True)
class Fact:
    """What the fresh pipeline has told.

    Attributes:
        path: of a pickle of the fact.
        original: path of the :class:`~persistbench.integrity.answers.Reference` of what was asked.
        reason: why there is no such fact; empty if there is one.
    """

    path: str
    original: str
    reason: str = ""


@dataclass(frozen=True)
class Request:
    """What the interpreter is to open.

    Attributes:
        backend: its id.
        trusted: names that the file of the pipeline trusts.
        path: of the artifact.
        original: path of the :class:`~persistbench.integrity.answers.Reference` of what was saved.
        facts: by name of the check.
    """

    backend: str
    trusted: tuple[str, ...]
    path: str
    original: str
    facts: dict[str, Fact]


def main(request: str, answer: str) -> None:
    """Write what is known of an artifact.

    Args:
        request: a :class:`Request`, as JSON.
        answer: path of the file that is written.
    """
    words = json.loads(request)
    facts = {name: Fact(**fact) for name, fact in words.pop("facts").items()}
    asked = Request(**{**words, "facts": facts})
    backend = backends.for_trials()[asked.backend].trusting(tuple(asked.trusted))
    Path(answer).write_text(json.dumps(examined(backend, asked)), encoding="utf-8")


def examined(backend: Backend, request: Request) -> dict[str, Any]:
    """Load an artifact and return all that is then known of it, by the name of the fact."""
    path = Path(request.path)
    result: dict[str, Any] = {
        "bytes": path.stat().st_size,
        "checks": {},
        METRICS: {},
        "steps": [],
    }
    loaded, opened = attempt.load(backend, str(path))
    if not opened.same:
        return result | {"verdict": asdict(opened)}
    try:
        original = _original(request.original)
    except Exception as error:
        reason = f"the held-out rows cannot be read in another process: {explain(error)}"
        unread = replace(of_exception(Outcome.ERROR_AT_BUILD, error), reason=reason)
        return result | {"verdict": asdict(unread)}
    # Before it is used: some estimators note something then (a vectorizer, the address of its
    # stop words).
    checks: dict[str, str] = {}
    held = state(None)
    if backend.claims.returns == "estimator":
        held = state(loaded)
        checks["attributes"] = _attributes(original.state, held)
        for name in _COMPARED:
            checks[name] = _told(request, name, original, loaded)
        checks["second dump"] = _dumped_again(backend, loaded, path)
    else:
        no_estimator = f"n/a: it is a {backend.claims.returns}, not an estimator"
        checks = dict.fromkeys(("attributes", *_COMPARED, "second dump"), no_estimator)
    verdict = attempt.use(backend, loaded, original)
    checks = {"predictions": _predictions(verdict)} | checks | {"deterministic": ""}
    if verdict.outcome is Outcome.ERROR_AT_USE:
        return result | {"verdict": asdict(verdict)}
    result[METRICS], checks[METRICS] = _before_and_after(request, original, loaded)
    if backend.id in WEIGHED:
        result["steps"], checks["steps"] = _steps(backend, loaded, original)
    for name in (METRICS, "steps"):  # they have a place of their own in the record
        checks = {one: text for one, text in checks.items() if text or one != name}
    verdict = _with_state(verdict, checks["attributes"], original.state, held)
    return result | {"verdict": asdict(verdict), "checks": checks}


_COMPARED = tuple(name for name in FACTS if name != METRICS)


def _original(path: str) -> Reference:
    result: Reference = pickle.loads(Path(path).read_bytes())
    return result


def _attributes(before: State, held: State) -> str:
    try:
        return differences(before, held)
    except Exception as error:
        return failed(error)


def _known(request: Request, name: str, original: Reference) -> Any:
    """Return what the fresh pipeline has told.

    Raises:
        LookupError: it has not told it; the text says why.
    """
    fact = request.facts[name]
    if fact.reason:
        raise LookupError(fact.reason)
    try:
        told = pickle.loads(Path(fact.path).read_bytes())
        if fact.original != request.original:  # it was built again, because a process has died
            other = differences(_original(fact.original).state, original.state)
            if other:
                raise LookupError(failed("no two builds of the pipeline are the same"))
    except LookupError:
        raise
    except Exception as error:
        raise LookupError(failed(error)) from error
    return told


def _told(request: Request, name: str, original: Reference, loaded: Any) -> str:
    """Return how what a loaded pipeline tells differs; empty if it does not."""
    try:
        before = _known(request, name, original)
        rows = copy.deepcopy((original.X, original.y))
    except LookupError as unknown:
        return str(unknown)
    except Exception as error:
        return failed(error)
    try:
        with one_thread():
            own = FACTS[name](loaded, *rows)
    except Exception as error:  # the fresh pipeline has told it
        return explain(error)
    return _attributes(before, own)


def _dumped_again(backend: Backend, loaded: Any, path: Path) -> str:
    second = path.with_name(f"{path.name}.second")
    try:
        verdict = attempt.dump(backend, loaded, None, str(second))
        if not verdict.same:
            return f"what was loaded cannot be dumped: {verdict.reason}"
        same = filecmp.cmp(second, path, shallow=False)
    except Exception as error:
        return failed(error)
    return "" if same else "a dump of what was loaded differs from the artifact"


def _predictions(verdict: Verdict) -> str:
    """Return what is wrong with the answers; that our check cannot compare them is not."""
    return failed(verdict.reason) if verdict.fault is Blame.CHECK else verdict.reason


def _before_and_after(
    request: Request, original: Reference, loaded: Any
) -> tuple[dict[str, Any], str]:
    """Return the metrics by set, and why there are none, if that is a failure."""
    try:
        told = _known(request, METRICS, original)
        after = {}
        if told:
            with one_thread():
                after = metrics(loaded, original.X, original.y)
    except LookupError as unknown:
        return {}, str(unknown)
    except Exception as error:
        return {}, failed(error)
    return {name: {"before": told[name], "after": after[name]} for name in told}, ""


def _steps(backend: Backend, loaded: Any, original: Reference) -> tuple[list[dict[str, Any]], str]:
    """Return what each step costs, and why there is nothing, if that is a failure."""
    try:
        return [structs.asdict(step) for step in costs(loaded, backend, original.X)], ""
    except Exception as error:
        return [], failed(error)


def _with_state(verdict: Verdict, changed: str, before: State, held: State) -> Verdict:
    """Return a verdict on the answers with what is to be said of the state."""
    if verdict.same and changed and not changed.startswith("n/a"):
        verdict = replace(verdict, outcome=Outcome.STATE_DIFFERS, reason=changed)
    unknown = [f"state: {text}" for text in (*before.uncompared, *held.uncompared)]
    return replace(verdict, uncompared=tuple(dict.fromkeys((*verdict.uncompared, *unknown))))


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # the answer is there: what was loaded may hang, or die, at the end
