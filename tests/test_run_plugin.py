"""Results are on disk as soon as they exist, and nothing is lost on the way."""

import itertools
import json
import math
import signal
from pathlib import Path
from typing import Any

import asv.runner
import pytest
from asv.results import Results
from asv.runner import BenchmarkResult
from asv.util import TIMEOUT_RETCODE, UserError

from persistbench.measure import paired
from persistbench.records import jsonl, pairs, run
from persistbench.suite import endings
from persistbench.suite.run_plugin import SafeResults
from tests.conftest import file_size_limit

NAME = "audit.Audit.time_audit"
BENCHMARK = {
    "name": NAME,
    "version": "1",
    "rounds": 2,
    "params": [["'small'"], ["'joblib'", "'raw'"]],
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin sets the variable for the processes of the run; afterwards it is as before."""
    monkeypatch.setenv(run.VARIABLE, "")


def started(folder: Path) -> SafeResults:
    """Return results as `asv run` has them before it measures."""
    (folder / "desk").mkdir(exist_ok=True)
    results = SafeResults({"machine": "desk"}, {}, "c" * 40, 0, "3.11", "env", {})
    results.load_data(str(folder))
    return results


def measured(*values: float | None, errcode: int = 0) -> BenchmarkResult:
    """Return what one round found for the two cells; None is a failure."""
    return BenchmarkResult(
        result=[None if value is None else True for value in values],
        samples=[None if value is None else [value] * 3 for value in values],
        number=[None if value is None else 1 for value in values],
        errcode=errcode,
        stderr="",
        profile=None,
    )


def on_disk(folder: Path) -> list[Any]:
    """Return the values in the result file."""
    (path,) = (folder / "desk").glob("*.json")
    values: list[Any] = Results.load(str(path)).get_result_value(NAME, BENCHMARK["params"])
    return values


def test_finished_round_is_on_disk(tmp_path: Path) -> None:
    """Nobody has to wait for the end of a run to have what is finished."""
    started(tmp_path).add_result(BENCHMARK, measured(1.0, 2.0))
    assert on_disk(tmp_path) == [1.0, 2.0]


def test_rerun_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """What has a figure is not asked again, and its figure stays."""
    started(tmp_path).add_result(BENCHMARK, measured(1.0, None))
    again = started(tmp_path)
    again.begin([BENCHMARK], resumes=True)
    assert again.ask(BENCHMARK, None) == {1}
    again.add_result(BENCHMARK, measured(9.0, 9.0))
    assert on_disk(tmp_path) == [1.0, 9.0]


def test_failure_in_one_round_is_a_failure(tmp_path: Path) -> None:
    """A cell that crashed once has no figure, and the run exits non-zero."""
    results = started(tmp_path)
    results.add_result(BENCHMARK, measured(1.0, None, errcode=-11))
    results.add_result(BENCHMARK, measured(1.0, 2.0), append_samples=True)
    assert on_disk(tmp_path) == [1.0, None]
    assert results.errcode[NAME] != 0


class Spawner:
    """Ends every process with the status of its cell, and without an answer."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = statuses

    def run(self, *, name: str, result_file_name: str, **_: Any) -> tuple[str, int]:
        return "", self.statuses[int(name.rpartition("-")[2])]


def ran(monkeypatch: pytest.MonkeyPatch, *statuses: int) -> BenchmarkResult:
    """Return what asv makes of one round of processes that end like this."""
    monkeypatch.setattr(endings, "asv_get_spawner", lambda *_, **__: Spawner(*statuses))
    spawner = endings.get_spawner(None, "benchmarks", launch_method="forkserver")
    result: BenchmarkResult = asv.runner.run_benchmark({**BENCHMARK, "timeout": 1}, spawner, False)
    return result


def outcomes(folder: Path) -> dict[str, tuple[str, str]]:
    """Return outcome and reason by backend, of the records of a run."""
    (path,) = (folder / "desk").glob("*.outcomes.jsonl")
    records, broken = jsonl.read(path)
    assert not broken
    assert {(one["pipeline"], one["question"], one["status"]) for one in records} == {
        ("small", "audit", "failed")
    }
    result = {one["backend"]: (one["outcome"], one["reason"]) for one in records}
    assert len(result) == len(records)
    return result


@pytest.mark.parametrize(
    ("statuses", "joblib", "raw"),
    [
        ((-11, -9), ("crash", "ended by signal SIGSEGV"), ("crash", "ended by signal SIGKILL")),
        ((TIMEOUT_RETCODE, 3), ("timeout", "longer than it may"), ("crash", "exit status 3")),
        ((0, -70), ("crash", "exit status 0"), ("crash", "ended by signal 70")),
    ],
)
def test_silent_death_has_a_record(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    statuses: tuple[int, int],
    joblib: tuple[str, str],
    raw: tuple[str, str],
) -> None:
    """Each process that died without a word leaves how it ended, once in a run."""
    results = started(tmp_path)
    for _ in range(2):
        results.add_result(BENCHMARK, ran(monkeypatch, *statuses))
    recorded = outcomes(tmp_path)
    for name, (outcome, how) in {"joblib": joblib, "raw": raw}.items():
        assert recorded[name][0] == outcome
        assert recorded[name][1].endswith(how)


def test_what_was_not_asked_did_not_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process could be started asv calls all cells failed, also those it did not ask."""
    monkeypatch.setattr(endings, "statuses", {})
    results = started(tmp_path)
    results.add_result(BENCHMARK, asv.runner.fail_benchmark(BENCHMARK), selected_idx={1})
    assert outcomes(tmp_path).keys() == {"raw"}
    assert outcomes(tmp_path)["raw"][1].endswith("could not be started")


def test_samples_are_kept_without_being_asked(tmp_path: Path) -> None:
    """Plain `asv run` keeps its samples: they are the evidence."""
    results = started(tmp_path)
    results.add_result(BENCHMARK, measured(1.0, 2.0), record_samples=False)
    assert results.get_result_samples(NAME, BENCHMARK["params"]) == [[1.0] * 3, [2.0] * 3]


def test_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    """Results that cannot be saved give one sentence; what was there is whole."""
    results = started(tmp_path)
    results.add_result(BENCHMARK, measured(1.0, 2.0))
    with file_size_limit(100), pytest.raises(UserError, match="cannot be saved"):
        results.save(str(tmp_path))
    assert on_disk(tmp_path) == [1.0, 2.0]
    assert not list(tmp_path.glob(".saving-*"))


def test_interrupt_waits_until_results_are_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while results are being saved comes after they are, and leaves nothing behind."""
    save = Results.save

    def interrupted(self: Results, folder: str) -> None:
        signal.raise_signal(signal.SIGINT)
        save(self, folder)

    monkeypatch.setattr(Results, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        started(tmp_path).add_result(BENCHMARK, measured(1.0, 2.0))
    assert on_disk(tmp_path) == [1.0, 2.0]
    assert not list(tmp_path.glob(".saving-*"))


def test_dry_run_saves_nothing(tmp_path: Path) -> None:
    """Without load_data, which asv calls only if it is to save, nothing is written."""
    results = SafeResults({"machine": "desk"}, {}, "c" * 40, 0, "3.11", "env", {})
    results.add_result(BENCHMARK, measured(1.0, 2.0))
    assert not list(itertools.chain(tmp_path.iterdir()))
    assert json.dumps(results.get_result_value(NAME, BENCHMARK["params"])) == "[1.0, 2.0]"


def test_slow_cell_keeps_its_figure_when_it_sits_out(tmp_path: Path) -> None:
    """A cell that was too slow for another round has the samples of the first; others have both."""
    results = started(tmp_path)
    paired.Recorder(("audit", "small", "joblib"), []).add(9.0, 9.0, [])
    results.add_result(BENCHMARK, measured(9.0, 2.0))
    second = measured(math.nan, 4.0)
    second.result[0], second.samples[0], second.number[0] = math.nan, None, None
    results.add_result(BENCHMARK, second, append_samples=True)
    assert on_disk(tmp_path) == [9.0, 3.0]
    result = results.get_result_samples(NAME, BENCHMARK["params"])
    assert result == [[9.0] * 3, [2.0] * 3 + [4.0] * 3]


def test_pairs_are_on_disk_after_each_round(tmp_path: Path) -> None:
    """A run that is stopped has what its rounds have brought, and the next one adds to it."""
    key = ("audit", "small", "joblib")
    for number, ratio in enumerate((2.0, 3.0), start=1):
        results = started(tmp_path)
        results.begin([BENCHMARK], resumes=True)
        results.ask(BENCHMARK, None)
        paired.Recorder(key, ["raw"]).add(ratio, 1.0, [1.0])
        results.add_result(BENCHMARK, measured(1.0, 2.0))
        (path,) = (tmp_path / "desk").glob("*.pairs.jsonl")
        assert len(pairs.read(path)[0][key].ratios["raw"]) == number
