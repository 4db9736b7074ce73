"""A dump that has reported success and left nothing that works is called a false success."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends
from persistbench.backends import Backend
from persistbench.trials.accident import _members, false_success
from persistbench.trials.selection import Selection
from persistbench.trials.trial import Record
from tests._doubles import Deadly, Double, Missing, Predictor, known, linux


@dataclass(frozen=True)
class Closer(Double):
    """Saves anything, and gives back an estimator with nothing, or something else, for it."""

    member: Any = None

    def dump(self, payload: Any, path: str) -> None:
        super().dump(_members.holder(self.member), path)


def tried(monkeypatch: pytest.MonkeyPatch, backend: Backend, *subjects: str) -> dict[str, Record]:
    """Return records by subject."""
    with known(monkeypatch, backend):
        (task,) = false_success.FalseSuccess(Selection((), (backend,))).tasks()
        trials = tuple(one for one in task.trials if one.subject in subjects)
        return {one["subject"]: one for one in task.make(trials)}


@pytest.mark.parametrize("subject", _members.MEMBERS)
def test_member_is_alive_where_it_was_made(subject: str, tmp_path: Path) -> None:
    """Every member does what it is for before it is saved."""
    member = _members.MEMBERS[subject]
    one = member.make(tmp_path)
    assert member.alive(one)
    if hasattr(one, "close"):
        one.close()


@linux
@pytest.mark.parametrize("subject", _members.MEMBERS)
def test_refusal_is_no_false_success(subject: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pickle says so at once when it cannot save a member; a script's function it saves by name."""
    result = tried(monkeypatch, Double(), subject)[subject]
    if subject == "script-function":
        assert (result["outcome"], result["false_success"]) == ("error-at-load", True)
    else:
        assert (result["outcome"], result["false_success"]) == ("error-at-dump", False)


@linux
@pytest.mark.parametrize(
    ("backend", "subject", "outcome", "dead"),
    [
        (Closer(), "open-file", "error-at-use", "the open-file: AttributeError: 'NoneType'"),
        (Closer(abs), "lambda", "values-differ", "the lambda does not do what it did"),
        (Deadly(), "parameter", "crash", ""),
        (Predictor(), "parameter", "state-differs", "parameter is gone"),
        (Double(), "parameter", "same", ""),
    ],
)
def test_dead_member_is_found(
    backend: Backend, subject: str, outcome: str, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is loaded and does not do what it did, or kills, is a false success; a text lives."""
    text = _members.Member(lambda folder: "text", lambda member: bool(member == "text"))
    monkeypatch.setitem(_members.MEMBERS, "parameter", text)
    result = tried(monkeypatch, backend, subject)[subject]
    assert result["outcome"] == outcome
    assert result["dead"].startswith(dead)
    assert bool(result["dead"]) == bool(dead)
    assert result["false_success"] == (outcome != "same")


@linux
@pytest.mark.parametrize(
    ("backend_id", "subject", "outcome", "dead"),
    [
        ("cloudpickle", "open-file", "same", ""),
        ("dill", "open-file", "values-differ", "the open-file does not do what it did"),
        ("dill", "script-function", "error-at-use", "the script-function: NameError"),
        ("skops", "lock", "error-at-load", ""),
        ("skops", "connection", "error-at-use", "the connection: ProgrammingError"),
    ],
)
def test_real_backends(
    backend_id: str, subject: str, outcome: str, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dill gives back an empty file and half a function, skops a dead connection."""
    result = tried(monkeypatch, backends.get(backend_id), subject)[subject]
    assert result["outcome"] == outcome
    assert result["dead"].startswith(dead)
    assert result["false_success"] == (outcome != "same")


def test_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that is not there has no false success."""
    result = tried(monkeypatch, Missing(), *_members.MEMBERS)
    assert {one["outcome"] for one in result.values()} == {"not-installed"}
    assert {one["false_success"] for one in result.values()} == {False}
