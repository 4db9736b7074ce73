"""The user's own code, and the program that saves or loads pipelines that hold it.

Copies of this file play two parts in a folder of the user's: a script, whose names are those of
``__main__``, and a module that it imports. A process that has neither is a server that loads what
somebody else's script has saved.
"""

import functools
import importlib
import json
import multiprocessing  # noqa: F401 (before SciPy, as in scripts that import joblib first)
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit  # as users have it: a name of the script's and the module's own
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import FunctionTransformer

from persistbench import backends, sandbox
from persistbench.cells import attempt
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials.base import in_child

SCRIPT, MODULE = "users_script", "users_module"
ROWS = np.arange(6.0).reshape(3, 2)


def double(X: Any) -> Any:
    """Return twice the rows, shape as X."""
    return 2 * X


class Doubler(TransformerMixin, BaseEstimator):
    """The same as a class."""

    def fit(self, X: Any, y: Any = None) -> "Doubler":
        """Note that it was fitted."""
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        """Return twice the rows, shape as X."""
        return 2 * X


in_one_line = lambda X: 2 * X  # noqa: E731 (as it is typed: its name is <lambda>)


def _closure() -> Any:
    factor = 2

    def times(X: Any) -> Any:
        return factor * X

    return FunctionTransformer(times)


def _local_class() -> Any:
    class Local(Doubler):
        pass

    return Local()


def _of_module(name: str) -> Any:
    return getattr(importlib.import_module(MODULE), name)


KINDS: dict[str, Callable[[], Any]] = {
    "module-function": lambda: FunctionTransformer(_of_module("double")),
    "module-class": lambda: _of_module("Doubler")(),
    "main-function": lambda: FunctionTransformer(double),
    "main-class": lambda: Doubler(),
    "lambda": lambda: FunctionTransformer(in_one_line),
    "closure": _closure,
    "local-class": _local_class,
    "partial": lambda: FunctionTransformer(functools.partial(np.clip, a_min=1, a_max=4)),
    "ufunc": lambda: FunctionTransformer(expit),
}
"""What is saved, by kind."""

TRUSTED = (
    f"{MODULE}.double",
    f"{MODULE}.Doubler",
    "__main__.double",
    "__main__.Doubler",
    "__main__.<lambda>",
    "__main__.times",  # so skops calls a closure and a local class
    "__main__.Local",
    "functools.partial",
    "numpy.clip",
    "__mp_main__.expit",  # so pickle calls it, or, with the name of SciPy 1.17:
    "scipy.special._special_ufuncs.expit",
)
"""What the user wrote into the pipelines, reviewed, and admits when loading."""


def right_answer(kind: str) -> Any:
    """Return what a pipeline of this kind makes of the rows."""
    if kind == "partial":
        return np.clip(ROWS, 1, 4)
    return expit(ROWS) if kind == "ufunc" else 2 * ROWS


@in_child
def save(kind: str, backend_id: str, path: str) -> Verdict:
    """Fit an estimator and save it."""
    backend = backends.get(backend_id).trusting(TRUSTED)
    return attempt.dump(backend, KINDS[kind]().fit(ROWS), ROWS, path)


@in_child
def load(kind: str, backend_id: str, path: str) -> Verdict:
    """Load what was saved and use it."""
    backend = backends.get(backend_id).trusting(TRUSTED)
    loaded, verdict = attempt.load(backend, path)
    if not verdict.same:
        return verdict
    try:
        answer = np.asarray(loaded.transform(ROWS))
    except Exception as error:
        return child.of_exception(Outcome.ERROR_AT_USE, error)
    tolerance = backend.claims.tolerance
    if np.allclose(answer, right_answer(kind), rtol=tolerance, atol=tolerance):
        return Verdict(Outcome.SAME)
    return Verdict(Outcome.VALUES_DIFFER, "transform gives other values")


def main(action: str, kind: str, folder: str, seconds: str, *backend_ids: str) -> None:
    """Do it with each backend in a process forked from this one; print a line for each verdict."""
    sandbox.fork_from_here()
    function = {"save": save, "load": load}[action]
    for backend_id in backend_ids:
        path = str(Path(folder, backend_id))
        limits = sandbox.Limits(float(seconds))
        verdict = sandbox.run(function, kind, backend_id, path, limits=limits)
        print(json.dumps([backend_id, verdict.outcome, verdict.reason]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
