"""Each method of each estimator is called on a read-only map; a crash costs only its own method."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from persistbench import Case, backends
from persistbench.trials import selection, survival
from persistbench.trials.accident.read_only_map import ReadOnlyMap
from tests._doubles import known, linux


class Writer(BaseEstimator):
    """Writes to its own array, or asks whether it may, as compiled code does."""

    def fit(self, X: Any, y: Any = None) -> "Writer":
        self.n_ = np.zeros(1000)
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X)) + self.n_.sum()

    def decision_function(self, X: Any) -> Any:
        if not self.n_.flags.writeable:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.zeros(len(X))

    def transform(self, X: Any) -> Any:
        return X + (0 if self.n_.flags.writeable else 1)

    def predict_proba(self, X: Any) -> Any:
        raise NotImplementedError

    def partial_fit(self, X: Any, y: Any = None) -> "Writer":
        self.n_ += 1
        return self


@dataclass(frozen=True)
class Missing(type(backends.get("joblib"))):  # type: ignore[misc]
    """A mapping backend whose library nobody has."""

    requires = ("no-such-library",)

    @property
    def id(self) -> str:
        return "missing"


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One planted estimator and one missing backend, which children know: they are forked."""
    real = map(backends.get, ("joblib", "pickle-5"))
    monkeypatch.setattr(survival, "instances", lambda: {"Writer": (Writer, 0)})
    monkeypatch.setattr(survival, "build", lambda name: Case(Writer().fit(None), np.ones((4, 2))))
    with known(monkeypatch, *real, Missing()):
        yield


def outcomes(tasks: list[Any]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return outcome and reason by backend and method."""
    return {
        (record["backend"], record["place"]): (record["outcome"], record["reason"])
        for task in tasks
        for record in task()
    }


@linux
def test_outcome_is_that_of_the_method(forked: None) -> None:
    """Right, wrong, an error, a crash, what fails anyway and what is missing: each its word."""
    tasks = ReadOnlyMap(selection.usual()).tasks()
    records = outcomes(tasks)
    assert {backend for backend, _ in records} == {"joblib", "missing"}  # pickle-5 does not map
    assert records["joblib", "predict"] == ("same", "")
    assert records["joblib", "transform"][0] == "values-differ"
    assert records["joblib", "decision_function"][0] == "crash"
    assert "SIGKILL" in records["joblib", "decision_function"][1]
    assert records["joblib", "partial_fit"][0] == "error-at-use"
    assert "read-only" in records["joblib", "partial_fit"][1]
    assert records["joblib", "predict_proba"] == (
        "unsupported",
        "fails without a map, too: NotImplementedError",
    )
    assert {one[0] for key, one in records.items() if key[0] == "missing"} == {"not-installed"}


@linux
def test_estimator_that_cannot_be_fitted_is_said(
    forked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fit that fails is error-at-build of each trial, not the end of the campaign."""
    monkeypatch.setattr(survival, "build", lambda name: Case(Writer().nothing, None))
    assert {one[0] for key, one in outcomes(ReadOnlyMap(selection.usual()).tasks()).items()} == {
        "error-at-build",
        "not-installed",
    }


def test_real_estimators_are_asked() -> None:
    """Ridge predicts on a map of every backend that maps; only methods that it has are asked."""
    tasks = ReadOnlyMap(selection.usual()).tasks()
    (ridge,) = (task for task in tasks if task.trials[0].subject == "Ridge")
    assert set(outcomes([ridge]).values()) == {("same", "")}
    assert {trial.condition for trial in ridge.trials} == {"predict"}
