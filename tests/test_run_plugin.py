"""Results are on disk as soon as they exist, and nothing is lost on the way."""

import itertools
import json
import math
import signal
from pathlib import Path
from typing import Any

import pytest
from asv.results import Results
from asv.runner import BenchmarkResult
from asv.util import TIMEOUT_RETCODE, UserError

from persistbench.measure import paired
from persistbench.records import jsonl, pairs, run
from persistbench.suite.run_plugin import SafeResults
from tests.conftest import file_size_limit

NAME = "load.Load.time_load"
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


def test_unfinished_rerun_keeps_the_old_figures(tmp_path: Path) -> None:
    """A rerun that is interrupted after one of its rounds has not replaced anything."""
    for _ in range(2):
        first = started(tmp_path)
    first.add_result(BENCHMARK, measured(1.0, 2.0))
    first.add_result(BENCHMARK, measured(1.0, 2.0), append_samples=True)
    again = started(tmp_path)
    again.add_result(BENCHMARK, measured(9.0, 9.0))
    assert on_disk(tmp_path) == [1.0, 2.0]
    again.add_result(BENCHMARK, measured(9.0, 9.0), append_samples=True)
    assert on_disk(tmp_path) == [9.0, 9.0]


def test_failure_in_one_round_is_a_failure(tmp_path: Path) -> None:
    """A cell that crashed once has no figure, and the run exits non-zero."""
    results = started(tmp_path)
    results.add_result(BENCHMARK, measured(1.0, None, errcode=-11))
    results.add_result(BENCHMARK, measured(1.0, 2.0), append_samples=True)
    assert on_disk(tmp_path) == [1.0, None]
    assert results.errcode[NAME] != 0


@pytest.mark.parametrize(("errcode", "outcome"), [(-11, "crash"), (TIMEOUT_RETCODE, "timeout")])
def test_silent_death_has_a_record(tmp_path: Path, errcode: int, outcome: str) -> None:
    """A process that died without a word leaves an outcome and a reason all the same, once."""
    results = started(tmp_path)
    for _ in range(2):
        results.add_result(BENCHMARK, measured(1.0, None, errcode=errcode))
    (path,) = (tmp_path / "desk").glob("*.outcomes.jsonl")
    (record,), broken = jsonl.read(path)
    assert not broken
    assert (record["pipeline"], record["backend"]) == ("small", "raw")
    assert (record["question"], record["outcome"]) == ("load", outcome)
    assert str(errcode) in record["reason"]


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
    results.add_result(BENCHMARK, measured(9.0, 2.0))
    paired.Recorder(("load", "small", "joblib"), []).add(9.0, 9.0, [])
    second = measured(math.nan, 4.0)
    second.result[0], second.samples[0], second.number[0] = math.nan, None, None
    results.add_result(BENCHMARK, second, append_samples=True)
    assert on_disk(tmp_path) == [9.0, 3.0]
    result = results.get_result_samples(NAME, BENCHMARK["params"])
    assert result == [[9.0] * 3, [2.0] * 3 + [4.0] * 3]


def test_pairs_of_an_unfinished_rerun_are_not_kept(tmp_path: Path) -> None:
    """Calls in turn are replaced when all rounds are there, as the figures beside them are."""
    key = ("load", "small", "joblib")

    def round_(results: SafeResults, ratio: float, **kwargs: Any) -> None:
        recorder = paired.Recorder(key, ["raw"])
        recorder.add(ratio, 1.0, [1.0])
        results.add_result(BENCHMARK, measured(1.0, 2.0), **kwargs)

    first = started(tmp_path)
    round_(first, 2.0)
    round_(first, 3.0, append_samples=True)
    (path,) = (tmp_path / "desk").glob("*.pairs.jsonl")
    assert pairs.read(path)[0][key].ratios == {"raw": [[2.0], [3.0]]}
    again = started(tmp_path)
    round_(again, 9.0)
    assert pairs.read(path)[0][key].ratios == {"raw": [[2.0], [3.0]]}
    round_(again, 8.0, append_samples=True)
    assert pairs.read(path)[0][key].ratios == {"raw": [[9.0], [8.0]]}
