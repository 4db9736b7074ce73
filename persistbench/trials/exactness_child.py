"""The program of the trials of exactness: saves one pipeline with every backend, or loads one.

Each side is an interpreter of its own. So what loads has never seen what was saved: it has the
artifact, the held-out rows, what the original answered for them, and the installed libraries.
"""

import filecmp
import json
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import structs

from persistbench import backends
from persistbench.backends import Backend
from persistbench.cases import catalogue
from persistbench.cells import attempt
from persistbench.cells.cell import Cell
from persistbench.integrity.answers import scores
from persistbench.integrity.state import differences, state
from persistbench.measure.steps import costs
from persistbench.outcomes import Outcome, explain

WEIGHED = ("pickle-5", "joblib", "skops")
"""The backends whose artifacts are taken apart into steps."""

SET_ROWS = 1_000
"""Rows of the sets that metrics are computed on; drawn from the held-out ones."""

_CLOCK_SECONDS = 2.1
"""Between two dumps of one estimator: a zip tells the time in steps of two seconds."""


def save(pipeline: str, folder: str, *backend_ids: str) -> dict[str, Any]:
    """Save a pipeline with each backend, twice.

    What loading has to know of the original is written beside the artifacts.

    Returns:
        ``failed``: outcome and reason of what cannot be saved, by backend; ``varying``: the
        backends whose second dump is other bytes than the first.
    """
    import numpy as np
    from sklearn.base import clone

    from persistbench.cases.fitted import fit

    fitted = fit(catalogue.get(pipeline))
    reference, estimator = fitted.load_reference(), fitted.load_estimator()
    # First of all, because some estimators note something when they are used.
    classes = reference.scores and np.ndim(reference.y) == 1
    before = metrics(estimator, reference.X, reference.y) if classes else {}
    about = {
        "reference": reference,
        "state": state(estimator),
        "parameters": state(estimator.get_params()),
        "clone": state(clone(estimator)),
        "metrics": before,
    }
    Path(folder, "original").write_bytes(pickle.dumps(about, protocol=5))
    failed: dict[str, Any] = {}
    ready = [bound(name, pipeline) for name in backend_ids]
    for backend in ready:
        verdict = attempt.dump(backend, estimator, reference.X, str(Path(folder, backend.id)))
        if not verdict.same:
            failed[backend.id] = (verdict.outcome, verdict.reason)
    time.sleep(_CLOCK_SECONDS)
    varying = []
    again = Path(folder, "again")
    for backend in ready:
        if backend.id not in failed:
            backend.dump(backend.payload(estimator, reference.X), str(again))
            if not filecmp.cmp(again, Path(folder, backend.id), shallow=False):
                varying.append(backend.id)
    return {"failed": failed, "varying": varying}


def load(pipeline: str, folder: str, backend_id: str) -> dict[str, Any]:
    """Load an artifact and return all that is then known of it, by the name of the fact."""
    backend = bound(backend_id, pipeline)
    about = pickle.loads(Path(folder, "original").read_bytes())
    path = Path(folder, backend_id)
    result: dict[str, Any] = {
        "bytes": path.stat().st_size,
        "checks": {},
        "metrics": {},
        "steps": [],
    }
    loaded, opened = attempt.load(backend, str(path))
    if not opened.same:
        return result | {"outcome": opened.outcome, "reason": opened.reason}
    reference = about["reference"]
    # Before it is used: some estimators note something then (a vectorizer, the address of its
    # stop words).
    checks = _checks(backend, loaded, about)
    checks["deterministic"] = ""  # whoever saved knows better
    checks["second dump"] = _of_estimator(backend, lambda: _dumped_again(backend, loaded, path))
    verdict = attempt.use(backend, loaded, reference)
    if verdict.outcome is Outcome.ERROR_AT_USE:
        return result | {"outcome": verdict.outcome, "reason": verdict.reason}
    checks = {"predictions": verdict.reason} | checks
    outcome, reason = verdict.outcome, verdict.reason
    if verdict.same and checks["attributes"] and not checks["attributes"].startswith("n/a"):
        outcome, reason = Outcome.STATE_DIFFERS, checks["attributes"]
    if about["metrics"]:
        after = metrics(loaded, reference.X, reference.y)
        result["metrics"] = {
            name: {"before": before, "after": after[name]}
            for name, before in about["metrics"].items()
        }
    if backend_id in WEIGHED:
        result["steps"] = [structs.asdict(step) for step in costs(loaded, backend, reference.X)]
    return result | {
        "outcome": outcome,
        "reason": reason,
        "label_changes": verdict.label_changes,
        "largest_difference": verdict.largest_difference,
        "checks": checks,
    }


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


def _checks(backend: Backend, loaded: Any, about: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with a loaded estimator, by check; empty texts if nothing is."""
    from sklearn.base import clone

    reference = about["reference"]

    def attributes() -> str:
        return differences(about["state"], state(loaded))

    def parameters() -> str:
        return differences(about["parameters"], state(loaded.get_params()))

    def cloned() -> str:
        return differences(about["clone"], state(clone(loaded)))

    def refit() -> str:
        again = clone(loaded).fit(reference.X, reference.y)
        getattr(again, reference.first_use)(reference.X)
        return ""

    checks = {"attributes": attributes, "parameters": parameters, "clone": cloned, "refit": refit}
    return {name: _of_estimator(backend, check) for name, check in checks.items()}


def _of_estimator(backend: Backend, check: Callable[[], str]) -> str:
    if backend.claims.returns != "estimator":
        return f"n/a: it is a {backend.claims.returns}, not an estimator"
    try:
        return check()
    except Exception as error:
        return explain(error)


def _dumped_again(backend: Backend, loaded: Any, path: Path) -> str:
    second = path.with_name(f"{path.name}.second")
    backend.dump(backend.payload(loaded, None), str(second))
    same = filecmp.cmp(second, path, shallow=False)
    return "" if same else "a dump of what was loaded differs from the artifact"


def bound(backend_id: str, pipeline: str) -> Backend:
    """Return the backend, which admits what the file of the pipeline names."""
    return Cell(catalogue.get(pipeline), backends.get(backend_id)).backend


if __name__ == "__main__":
    _action, *_arguments = sys.argv[1:]
    print(json.dumps((save if _action == "save" else load)(*_arguments)))
