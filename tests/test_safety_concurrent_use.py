"""Who loads while another saves finds the old version or the new one, or a record says what."""

import pickle
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from persistbench import Case, backends
from persistbench.backends import Backend
from persistbench.errors import UnsupportedError
from persistbench.integrity.answers import reference
from persistbench.trials import selection
from persistbench.trials.accident import _saving, concurrent_use
from persistbench.trials.accident.concurrent_use import ConcurrentUse
from persistbench.trials.selection import Selection
from persistbench.trials.trial import Record
from tests._doubles import Deadly, Double, Missing, known, linux
from tests._waiting import HANG


class Slow(Double):
    """Lets everybody see the path while it is half written."""

    def dump(self, payload: Any, path: str) -> None:
        data = pickle.dumps(payload, protocol=5)
        with open(path, "wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            time.sleep(0.02)
            file.write(data[len(data) // 2 :])


class Mixer(Double):
    """Loads a mixture, without a word."""

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        loaded = super().load(path)
        loaded[-1].coef_ = loaded[-1].coef_ * 2
        return loaded


class Refuser(Double):
    """Cannot save."""

    def dump(self, payload: Any, path: str) -> None:
        raise ValueError("no")


class Hanger(Double):
    """Loads for ever."""

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        time.sleep(60)


def tried(monkeypatch: pytest.MonkeyPatch, backend: Backend, *ways: str) -> dict[str, Record]:
    """Return records by the way to save."""
    monkeypatch.setattr(concurrent_use, "SECONDS", 0.5)
    monkeypatch.setattr(concurrent_use, "SWAPS", 100)
    monkeypatch.setattr(concurrent_use, "PATIENCE_SECONDS", HANG)
    with known(monkeypatch, backend):
        (task,) = ConcurrentUse(Selection(("small",), (backend,))).tasks()
        trials = tuple(one for one in task.trials if one.condition in ways)
        return {one["place"]: one for one in task.make(trials)}


@linux
def test_half_written_artifact_is_met_unless_it_is_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Straight to the path, loads fail; renamed, every load is one version or the other."""
    result = tried(monkeypatch, Slow(), "own", "renamed")
    own, renamed = result["own"], result["renamed"]
    assert own["outcome"] == "error-at-load"
    assert own["errors"]
    assert set(own["errors"]) <= {"EOFError", "UnpicklingError"}
    assert sum(own["errors"].values()) <= own["loads"]
    assert (renamed["outcome"], renamed["errors"], renamed["wrong"]) == ("same", {}, 0)
    assert renamed["loads"] > 0
    assert renamed["swaps"] > 1


@linux
def test_wrong_answer_is_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that answers like neither version is wrong, whatever else happened."""
    result = tried(monkeypatch, Mixer(), "renamed")["renamed"]
    assert result["outcome"] in ("values-differ", "labels-differ")
    assert result["wrong"] == result["loads"] > 0


@linux
@pytest.mark.parametrize(
    ("backend", "outcome", "errors"),
    [
        (Deadly(), "crash", {"SIGKILL": concurrent_use.READERS}),
        (Hanger(), "timeout", {"timeout": concurrent_use.READERS}),
        (Refuser(), "error-at-dump", {}),
        (Missing(), "not-installed", {}),
    ],
    ids=lambda one: getattr(one, "id", ""),
)
def test_other_ends(
    backend: Backend, outcome: str, errors: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers that die or hang, saves that fail and libraries that lack are told apart."""
    result = tried(monkeypatch, backend, "own")["own"]
    assert (result["outcome"], result["errors"]) == (outcome, errors)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (StandardScaler(with_mean=False, with_std=False), "could not be told apart"),
        (GridSearchCV(StandardScaler(), {}, scoring="none"), "cannot be fitted again"),
    ],
    ids=["same", "broken"],
)
def test_versions_must_answer_otherwise(estimator: Any, reason: str, tmp_path: Path) -> None:
    """A pipeline that cannot be fitted again, or answers the same then, is unsupported."""
    X = np.arange(20.0).reshape(10, 2)
    answers = reference(Case(StandardScaler().fit(X), X))
    fitted = SimpleNamespace(load_estimator=lambda: estimator, load_reference=lambda: answers)
    cell: Any = SimpleNamespace(backend=Double(), fitted=fitted)
    if reason == "could not be told apart":
        estimator.fit(X)
    with pytest.raises(UnsupportedError, match=reason):
        concurrent_use.two_versions(cell, tmp_path)


@linux
def test_real_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pickle renamed into place is right for everybody, with as many swaps as there was time."""
    result = tried(monkeypatch, backends.get("pickle-5"), "renamed")["renamed"]
    assert (result["outcome"], result["wrong"], result["errors"]) == ("same", 0, {})
    assert 1 < result["swaps"] <= 100


def test_first_pipeline_is_shared() -> None:
    """By default that is small, with every backend in both ways to save."""
    tasks = ConcurrentUse(selection.usual()).tasks()
    assert {one.subject for task in tasks for one in task.trials} == {"small"}
    assert {one.condition for task in tasks for one in task.trials} == set(_saving.WAYS)
    (task,) = ConcurrentUse(selection.usual(["forest"], ["joblib"])).tasks()
    assert {one.subject for one in task.trials} == {"forest"}
