"""Every estimator that scikit-learn lists gets an outcome, whatever a backend does to it."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from persistbench import Case, sandbox
from persistbench.errors import UserError
from persistbench.trials import selection, survival
from persistbench.trials.trial import Task
from tests._doubles import Faulty, Missing, known, linux
from tests._waiting import ENOUGH, HANG, wait_for


class Wrong(Faulty):
    """A backend that does one thing wrong."""

    def dump(self, payload: Any, path: str) -> None:
        if self.fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "hangs":
            time.sleep(60)
        if self.fault == "hungry":
            bytearray(4 * 10**9)
        super().dump(payload, path)
        if self.fault == "changes":
            payload.coef_ = payload.coef_ + 1

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if self.fault == "killed-at-load":
            os.kill(os.getpid(), signal.SIGKILL)
        loaded = super().load(path)
        if self.fault == "forgets":
            del loaded.n_features_in_
        return loaded


FAULTS = ("killed", "hangs", "hungry", "changes", "killed-at-load", "forgets", "none")


class Dice(BaseEstimator):
    """Answers otherwise each time."""

    def fit(self, X: Any, y: Any = None) -> "Dice":
        self.fitted_ = True
        return self

    def predict(self, X: Any) -> Any:
        return np.random.default_rng().random(len(X))


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Backends with faults, which children know because they are forked from this process."""
    with known(monkeypatch, *map(Wrong, FAULTS), Missing()):
        yield


def tasks(estimators: str, backend_ids: list[str]) -> list[Task]:
    """Return the trials of the estimators that match."""
    return survival.Survival(selection.everything((), backend_ids, estimators)).tasks()


def outcomes(task: Any) -> dict[str, dict[str, Any]]:
    """Return the records of a task by backend."""
    return {record["backend"]: record for record in task()}


def test_every_estimator_is_asked_for() -> None:
    """All that scikit-learn lists are there, with each of their test instances: over 200."""
    from sklearn.utils import all_estimators

    every = tasks("", ["pickle-5"])
    names = {task.trials[0].subject for task in every}
    assert len(names) == len(every) > 200
    assert {name.split("-")[0] for name in names} == {name for name, _ in all_estimators()}
    assert {"HalvingGridSearchCV-1", "HalvingGridSearchCV-2"} <= names


@linux
def test_fault_is_that_backends_outcome(doubles: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash, a hang or hunger is an outcome of its backend; the others go on as if alone."""
    limits = sandbox.Limits(seconds=HANG, memory=2 * 10**9)
    monkeypatch.setattr(survival.Survival, "limits", limits)
    (task,) = tasks("^Ridge$", [])
    result = outcomes(task)
    assert {name: (one["outcome"], one["reason"]) for name, one in result.items()} == {
        "killed": ("crash", f"ended by signal SIGKILL (limits: {limits})"),
        "hangs": ("timeout", f"not finished after {HANG:g} s"),
        "hungry": ("error-at-dump", "MemoryError (limit: 2 GB of memory)"),
        "changes": ("same", ""),
        "killed-at-load": ("crash", f"ended by signal SIGKILL (limits: {limits})"),
        "forgets": ("state-differs", ".n_features_in_ is gone"),
        "none": ("same", ""),
        "missing": (
            "not-installed",
            "no-such-library is not installed: pip install no-such-library",
        ),
    }
    assert result["none"]["bytes"] > 0
    assert result["killed"]["bytes"] is None


@linux
def test_random_answers_are_marked(doubles: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An estimator that disagrees with itself is marked, and not called different."""
    X = np.zeros((5, 2))
    monkeypatch.setattr(survival, "build", lambda name: Case(Dice().fit(X), X))
    (task,) = tasks("^Ridge$", ["none"])
    result = outcomes(task)["none"]
    assert (result["outcome"], result["random"]) == ("same", ["predict"])


@linux
@pytest.mark.parametrize(
    ("how", "reason"), [("raises", "ValueError: no"), ("dies", "the fit: ended by signal SIGKILL")]
)
def test_fit_that_fails_is_nobodys_fault(
    how: str, reason: str, doubles: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An estimator that cannot be fitted is error-at-build with the reason, for all backends."""

    def build(name: str) -> Case:
        if how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError("no")

    monkeypatch.setattr(survival, "build", build)
    (task,) = tasks("^Ridge$", ["none", "changes"])
    for record in task():
        assert record["outcome"] == "error-at-build"
        assert record["reason"].startswith(reason)


def test_artifact_is_loaded_where_its_estimator_was_never_seen() -> None:
    """Real backends: pickle gives Ridge back; the trust list of skops is counted."""
    (task,) = tasks("^Ridge$", ["pickle-5", "skops"])
    result = outcomes(task)
    assert {one["outcome"] for one in result.values()} == {"same"}
    assert result["pickle-5"]["untrusted"] is None
    assert result["skops"]["untrusted"] == 0
    assert result["pickle-5"]["bytes"] == len(pickle.dumps(survival.build("Ridge").estimator, 5))


def test_bytes_between_fields_are_no_state() -> None:
    """Joblib does not keep the padding of a tree's nodes, which holds nothing: it is the same."""
    (task,) = tasks("^DecisionTreeClassifier$", ["joblib"])
    assert outcomes(task)["joblib"]["outcome"] == "same"


@pytest.mark.parametrize(
    "name",
    [
        "CountVectorizer",
        "DictVectorizer",
        "KNeighborsClassifier-2",
        "LabelBinarizer",
        "MultiLabelBinarizer",
        "PatchExtractor",
        "SparseCoder",
    ],
)
def test_rows_are_what_tags_ask_for(name: str) -> None:
    """Estimators of texts, dictionaries, labels and distances are fitted on such data."""
    assert hasattr(survival.build(name).estimator, "get_params")


def test_unknown_names_are_named() -> None:
    """An expression that matches nothing, or is none, and an unknown backend are one sentence."""
    with pytest.raises(UserError, match="No estimator matches 'Nosuch'"):
        tasks("Nosuch", [])
    with pytest.raises(UserError, match="is not a regular expression"):
        tasks("(", [])
    with pytest.raises(UserError, match="There is no backend 'nosuch'"):
        tasks("", ["nosuch"])


def test_interrupted_command_keeps_what_is_done(checkout: Path) -> None:
    """Ctrl-C ends `try survival` with one sentence; records are whole, and a table comes later."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "COLUMNS": "80"}
    command = [sys.executable, "-m", "persistbench", "try", "survival", "--backend", "pickle-5"]

    def files() -> list[Path]:
        return list((checkout / "results").glob("*/trials/survival.jsonl"))

    running = subprocess.Popen(
        [*command, "--only", "R"],
        cwd=checkout,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: files() and files()[0].stat().st_size > 0)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does
    _, said = running.communicate(timeout=ENOUGH)
    assert running.returncode == 130
    assert "Stopped. What was done is kept" in said
    assert "Traceback" not in said
    subjects = [json.loads(line)["subject"] for line in files()[0].read_text().splitlines()]
    done = subprocess.run(
        [*command, "--only", f"^{subjects[0]}$"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pickle-5" in done.stdout
    assert str(files()[0]) in done.stdout.replace("\n", "")
    assert len(files()[0].read_text().splitlines()) == len(subjects)
