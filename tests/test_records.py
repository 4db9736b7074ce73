"""Outcome records survive interruption and do not repeat themselves."""

from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.outcomes import Outcome, Verdict
from persistbench.records import jsonl, outcome, run

CELL = Cell(catalogue.get("small"), backends.get("pickle-5"))
REFUSED = Verdict(Outcome.ERROR_AT_DUMP, "TypeError: <script>")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record file that asv's plugin would name."""
    path = tmp_path / "machine" / "run.outcomes.jsonl"
    monkeypatch.setenv(run.VARIABLE, str(run.begin(path, "0.6.6")))
    return path


def test_record_names_what_a_reader_needs(path: Path) -> None:
    """A record has outcome, reason, status, date, system, file system and versions."""
    outcome.keep(CELL, REFUSED)
    (record,), broken = jsonl.read(path)
    assert not broken
    assert record["pipeline"] == "small"
    assert record["backend"] == "pickle-5"
    assert record["status"] == "n/a"
    assert record["outcome"] == "error-at-dump"
    assert record["reason"] == REFUSED.reason
    assert record["libraries"]["scikit-learn"]
    assert record["libraries"]["asv"] == "0.6.6"
    assert record["libraries"]["asv_runner"] == version("asv_runner")
    for field in ("date", "os", "file_system", "python"):
        assert record[field]


def test_same_finding_is_recorded_once(path: Path) -> None:
    """Thousands of processes leave one line each for what they agree on."""
    for _ in range(3):
        outcome.keep(CELL, REFUSED)
        outcome.keep(CELL, Verdict(Outcome.UNSUPPORTED, "no"), question="map_first_predict")
    assert len(jsonl.read(path)[0]) == 2


def test_failure_is_said_again_by_every_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that fails in two runs has a record of each, and one in each."""
    failure = Verdict(Outcome.LABELS_DIFFER, "3 of 5")
    outcome.keep(CELL, failure)
    outcome.keep(CELL, failure)
    first = run.began()
    monkeypatch.setenv(run.VARIABLE, str(run.begin(path, "0.6.6")))
    outcome.keep(CELL, failure)
    assert [record["run"] for record in jsonl.read(path)[0]] == [first, run.began()]


def test_last_word_wins(path: Path) -> None:
    """A finding that comes back after another one is recorded again."""
    for verdict in (REFUSED, Verdict(Outcome.SAME), REFUSED):
        outcome.keep(CELL, verdict)
    result = [record["outcome"] for record in jsonl.read(path)[0]]
    assert result == ["error-at-dump", "same", "error-at-dump"]


def test_nothing_is_written_unless_asv_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run leaves no record."""
    monkeypatch.delenv(run.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    outcome.keep(CELL, REFUSED)
    assert not list(tmp_path.iterdir())


def test_failure_of_an_earlier_run_is_withdrawn(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A figure after a failure ends it; within one run a failure stays."""
    outcome.keep(CELL, Verdict(Outcome.ERROR_AT_DUMP, "full", machine_fault=True), "dump")
    outcome.withdraw(CELL, "dump")
    assert jsonl.read(path)[0][-1]["status"] == "failed"
    monkeypatch.setenv(run.VARIABLE, str(run.begin(path, "0.6.6")))
    outcome.withdraw(CELL, "dump")
    outcome.withdraw(CELL, "load")
    assert [record["status"] for record in jsonl.read(path)[0]] == ["failed", "ok"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(keep=st.integers(min_value=0))
def test_cut_off_line_is_named_and_the_next_one_whole(path: Path, keep: int) -> None:
    """Wherever a file was cut off, whole records are read, and later ones are not lost."""
    path.unlink(missing_ok=True)
    outcome.keep(CELL, REFUSED)
    outcome.keep(CELL, Verdict(Outcome.SAME))
    data = path.read_bytes()
    path.write_bytes(data[: keep % len(data)])
    whole, broken = jsonl.read(path)
    assert len(whole) + len(broken) <= 2
    assert all(str(path) in sentence for sentence in broken)
    outcome.keep(CELL, Verdict(Outcome.TIMEOUT, "later"))
    assert jsonl.read(path)[0] == [*whole, jsonl.read(path)[0][-1]]
    assert jsonl.read(path)[0][-1]["outcome"] == "timeout"


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict(Outcome.SAME), "ok"),
        (Verdict(Outcome.NOT_INSTALLED), "n/a"),
        (Verdict(Outcome.UNSUPPORTED), "n/a"),
        (Verdict(Outcome.ERROR_AT_DUMP), "n/a"),
        (Verdict(Outcome.ERROR_AT_DUMP, machine_fault=True), "failed"),
        (Verdict(Outcome.ERROR_AT_BUILD), "failed"),
        (Verdict(Outcome.ERROR_AT_LOAD), "failed"),
        (Verdict(Outcome.ERROR_AT_USE), "failed"),
        (Verdict(Outcome.LABELS_DIFFER), "failed"),
        (Verdict(Outcome.VALUES_DIFFER), "failed"),
        (Verdict(Outcome.STATE_DIFFERS), "failed"),
        (Verdict(Outcome.CRASH), "failed"),
        (Verdict(Outcome.TIMEOUT), "failed"),
    ],
)
def test_refusals_are_results_and_wrong_answers_failures(verdict: Verdict, status: str) -> None:
    """Only what was said before anything was saved is n/a; the rest that is not same failed."""
    assert outcome.status(verdict) == status
