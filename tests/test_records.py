"""Records have one form for writer and reader; outcomes survive interruption and never repeat."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.outcomes import Blame, Outcome, Verdict
from persistbench.records import about, calibration, forms, jsonl, outcome, pairs, run
from persistbench.records.collect import collect
from persistbench.trials import kinds
from tests._results import describe, measured, record

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
    outcome.keep(CELL, Verdict(Outcome.ERROR_AT_DUMP, "full", fault=Blame.MACHINE), "dump")
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
        (Verdict(Outcome.ERROR_AT_DUMP, fault=Blame.MACHINE), "failed"),
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


RESULTS = Path(__file__).parents[1] / "results"


def test_every_line_of_the_committed_results_is_read() -> None:
    """The typed readers leave none of them out, and nothing that is read warns."""
    readers: dict[str, Callable[[Path], tuple[Any, list[str]]]] = {
        "*.outcomes.jsonl": outcome.read,
        "*.pairs.jsonl": pairs.read,
        "trials/*.jsonl": lambda path: jsonl.read_typed(path, forms.decode),
        about.FILE: lambda path: jsonl.read_typed(
            path, msgspec.json.Decoder(about.Backend | about.Pipeline).decode
        ),
        calibration.FILE: lambda path: jsonl.read_typed(
            path, msgspec.json.Decoder(calibration.Calibration).decode
        ),
    }
    for pattern, reader in readers.items():
        paths = list(RESULTS.glob(f"*/{pattern}"))
        assert paths, pattern
        for path in paths:
            records, broken = reader(path)
            assert not broken
            assert len(records) == path.read_bytes().count(b"\n")
    assert not collect(RESULTS).warnings


def test_structs_know_every_field_of_the_committed_results() -> None:
    """What a trial wrote, its struct names: nothing is dropped in silence."""
    for path in RESULTS.glob("*/trials/*.jsonl"):
        for line in jsonl.read(path)[0]:
            assert forms.checked(line) is line
    fields = set(outcome.Record.__struct_encode_fields__)
    for path in RESULTS.glob("*/*.outcomes.jsonl"):
        assert all(line.keys() <= fields for line in jsonl.read(path)[0])


def test_every_kind_of_trial_has_a_struct() -> None:
    """A kind of trial that nobody can read back does not go unnoticed."""
    made = {*kinds.discover(), forms.SURVIVAL, forms.CUSTOM_CODE, forms.EXACTNESS}
    assert made == set(forms.KINDS)


def trial_record(**facts: Any) -> dict[str, Any]:
    """Return the record of a leak, with these facts."""
    names = {"trial": "leaks", "subject": "cache", "backend": "joblib", "date": "2026-01-01"}
    return {**names, "outcome": "same", "reason": "", "found": "no", **facts}


@pytest.mark.parametrize("facts", [{"found": "nowhere"}, {"outcome": "fine"}, {"colour": "red"}])
def test_trial_cannot_write_what_its_reader_leaves_out(facts: dict[str, Any]) -> None:
    """A fact of another form, or of a name that the struct lacks, is refused before it is kept."""
    assert forms.checked(trial_record())
    with pytest.raises(TypeError, match="leaks"):
        forms.checked(trial_record(**facts))


def test_fields_of_newer_versions_are_tolerated(tmp_path: Path) -> None:
    """A record with a field that nobody knows here is read without it."""
    path = tmp_path / "a.jsonl"
    jsonl.append(path, [trial_record(colour="red")])
    (record,), broken = jsonl.read_typed(path, forms.decode)
    assert isinstance(record, forms.Leak)
    assert not broken
    newer = OUTCOME | {"colour": "red"}
    jsonl.append(tmp_path / "b.jsonl", [newer])
    assert len(outcome.read(tmp_path / "b.jsonl")[0]) == 1


OUTCOME = {
    **{"pipeline": "small", "backend": "joblib", "access": "load", "question": ""},
    **{"status": "ok", "outcome": "same", "reason": ""},
}


@pytest.mark.parametrize(
    "foreign", [{"status": "splendid"}, {"outcome": "fine"}, {"access": "guess"}, {"reason": None}]
)
def test_foreign_outcomes_are_named_and_left_out(tmp_path: Path, foreign: dict[str, Any]) -> None:
    """A line that does not fit the record is counted, and the first of them is named."""
    path = tmp_path / "a.outcomes.jsonl"
    jsonl.append(path, [OUTCOME, OUTCOME | foreign])
    records, (sentence,) = outcome.read(path)
    assert [record.backend for record in records] == ["joblib"]
    assert sentence.startswith(f"{path} has 1 foreign lines, which are left out")
    assert "line 2" in sentence


@pytest.mark.parametrize("text", ["end\u2028of\x85line", "half \udc80 a character", "a\nb\r\tc"])
def test_any_text_is_one_line(tmp_path: Path, text: str) -> None:
    """Whatever an exception says, its record stays one line that can be read."""
    path = tmp_path / "a.jsonl"
    jsonl.append(path, [OUTCOME | {"reason": text}, OUTCOME])
    records, broken = outcome.read(path)
    assert not broken
    assert [record.reason for record in records] == [text.replace("\udc80", "?"), ""]


def test_all_records_are_read_once_in_a_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first process sorts them; thousands after it read the last word of their own key."""
    outcome.keep(CELL, REFUSED)
    monkeypatch.setenv(run.VARIABLE, str(run.begin(path, "0.6.6")))
    calls: list[Path] = []
    read = outcome.read
    monkeypatch.setattr(outcome, "read", lambda file: (calls.append(file), read(file))[1])
    for question in ("", "load", "load", ""):
        outcome.keep(CELL, REFUSED, question)
    outcome.withdraw(CELL, "load")
    assert calls == [path]
    assert [record.question for record in read(path)[0]] == ["", "load"]


def test_text_of_a_reason_is_no_record(path: Path) -> None:
    """A reason that looks like a newer record of the same cell does not hide the record."""
    outcome.keep(CELL, REFUSED)
    (record,), _ = outcome.read(path)
    hostile = '{"cell":"' + record.cell + '","found":"' + "0" * 16 + '"}'
    outcome.keep(CELL, Verdict(Outcome.CRASH, f'{hostile} {{"cell": "{record.cell}"'), "load")
    outcome.keep(CELL, REFUSED)
    assert len(outcome.read(path)[0]) == 2


@pytest.mark.parametrize(
    ("libraries", "shown"),
    [
        ({"numpy": "2.4"}, "asv not recorded, asv_runner not recorded, numpy 2.4"),
        ({"asv": "0.6", "asv_runner": "0.3"}, "asv 0.6, asv_runner 0.3"),
        ({}, None),
    ],
)
def test_older_records_name_no_instrument(
    tmp_path: Path, libraries: dict[str, str], shown: str | None
) -> None:
    """Where records were made before they named asv and asv_runner, the page says so."""
    path = measured(describe(tmp_path), [1.0, 2.0, 3.0, 4.0])
    record(path, pipeline="small", backend="joblib", reason="", libraries=libraries)
    (platform,) = collect(tmp_path).platforms
    assert dict(platform.facts).get("libraries") == shown
