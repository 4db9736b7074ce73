"""Whatever goes wrong with a save, its record says what lies at the path afterwards."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends
from persistbench.backends import Backend
from persistbench.trials.accident import _saving, failed_save
from persistbench.trials.selection import Selection
from persistbench.trials.trial import Record, Task
from tests._doubles import Careful, Deadly, Double, Missing, Patcher, Remover, known, linux


def records(task: Task, *subjects: str) -> dict[tuple[str, str | None], Record]:
    """Return the records of some subjects by subject and place."""
    trials = tuple(one for one in task.trials if one.subject in subjects)
    return {(one["subject"], one["place"]): one for one in task.make(trials)}


def left(found: dict[tuple[str, str | None], Record]) -> dict[tuple[str, str | None], Any]:
    """Return outcome, what was left, and litter."""
    return {key: (one["outcome"], one["left"], one["litter"]) for key, one in found.items()}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipelines of 1 MB, for children that are forked from this process."""
    monkeypatch.setattr(failed_save, "TIMES", 1)
    monkeypatch.setattr(failed_save, "TRIES", 2)


def tried(
    monkeypatch: pytest.MonkeyPatch, backend: Backend, *subjects: str
) -> dict[tuple[str, str | None], Record]:
    """Return the records of a double."""
    with known(monkeypatch, backend):
        (task,) = failed_save.FailedSave(Selection((), (backend,))).tasks()
        return records(task, *subjects)


def test_pipeline_has_20_megabytes_and_its_awkward_member_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is saved is 20 MB of weights, and behind them the member."""
    monkeypatch.undo()
    pipeline = failed_save.pipeline(0)
    assert 20 * 10**6 < pipeline[0].components_.nbytes < 21 * 10**6
    assert [name for name, _ in pipeline.steps] == ["weights", "last"]
    answers = [failed_save.pipeline(number).transform(failed_save.rows()) for number in (0, 1)]
    assert abs(answers[0] - answers[1]).max() > 1


@linux
def test_every_accident_has_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that writes as it goes loses the earlier artifact; renaming keeps it."""
    result = tried(monkeypatch, Double(), "lock", "full-disk", "killed", "two-savers")
    assert left(result) == {
        ("lock", "own"): ("error-at-dump", "broken", 0),
        ("lock", "renamed"): ("error-at-dump", "earlier", 0),
        ("full-disk", "own"): ("error-at-dump", "broken", 0),
        ("full-disk", "renamed"): ("error-at-dump", "earlier", 0),
        ("killed", "own"): ("crash", "broken", 0),
        ("killed", "renamed"): ("crash", "earlier", 1),
        ("two-savers", "own"): ("same", result["two-savers", "own"]["left"], 0),
        ("two-savers", "renamed"): ("same", "new", 0),
    }
    assert "File too large" in result["full-disk", "own"]["reason"]
    assert "SIGKILL" in result["killed", "own"]["reason"]
    left_reason = result["killed", "own"]["left_reason"]
    assert left_reason.startswith("UnpicklingError: pickle data was truncated (_doubles.py, line ")
    assert sum(result["two-savers", "own"]["tries"].values()) == failed_save.TRIES
    assert result["two-savers", "renamed"]["tries"] == {"new": failed_save.TRIES}


@linux
@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (Careful(), {"own": "earlier", "renamed": "earlier"}),
        (Remover(), {"own": "nothing", "renamed": "earlier"}),
        (Patcher(), {"own": "wrong", "renamed": "wrong"}),
        (Deadly(), {"own": "broken", "renamed": "broken"}),
    ],
    ids=lambda one: getattr(one, "id", ""),
)
def test_what_is_left_is_called_by_its_word(
    backend: Backend, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept, gone, another pipeline, deadly: each is told apart, by a process that loads it."""
    result = tried(monkeypatch, backend, "lock")
    assert {condition: one["left"] for (_, condition), one in result.items()} == expected


@linux
def test_litter_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that leaves a part of its own beside the path has littered."""
    assert tried(monkeypatch, Remover(), "lock")["lock", "own"]["litter"] == 1


def test_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that is not there gets not-installed for all, and nothing is tried."""
    result = tried(monkeypatch, Missing(), *failed_save.SUBJECTS)
    assert Counter(one["outcome"] for one in result.values()) == {"not-installed": 18}
    assert {one["left"] for one in result.values()} == {None}


@linux
@pytest.mark.parametrize(
    ("backend_id", "subject", "expected"),
    [
        ("skops", "open-file", ("error-at-dump", "earlier", 0)),
        ("joblib", "open-file", ("error-at-dump", "broken", 0)),
        ("cloudpickle", "lambda", ("same", "new", 0)),
    ],
)
def test_real_backends(
    backend_id: str, subject: str, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only skops builds all before it touches the path; cloudpickle can save a lambda."""
    result = tried(monkeypatch, backends.get(backend_id), subject)
    assert left(result)[subject, "own"] == expected


def test_renamed_replaces_and_leaves_nothing(tmp_path: Path) -> None:
    """The five lines put the new file in the place of the old one, or change nothing."""
    path = tmp_path / "model"
    path.write_text("earlier")

    def broken(draft: str) -> None:
        Path(draft).write_text("a part")
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        _saving.renamed(broken, str(path))
    assert path.read_text() == "earlier"
    _saving.renamed(lambda draft: Path(draft).write_text("new") and None, str(path))
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
