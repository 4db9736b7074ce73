"""What the rounds of a benchmark add up to, without asv."""

import math
from typing import Any

from persistbench.outcomes import Outcome
from persistbench.records.outcome import Record
from persistbench.records.pairs import Pairs
from persistbench.suite.rounds import GatheredPairs, Progress, sat_out, unexplained, whole

KEY = ("load", "small", "joblib")
CELLS = [("small", "joblib"), ("small", "raw"), ("text", "joblib")]


def test_benchmark_is_finished_after_its_last_round() -> None:
    """A benchmark is unfinished from its first round to its last."""
    progress = Progress()
    assert progress.unfinished == set()
    progress.finish_round("load", 2, [1.0])
    assert progress.unfinished == {"load"}
    progress.finish_round("load", 2, [1.0])
    assert progress.unfinished == set()


def test_cell_that_failed_once_has_failed() -> None:
    """A later good round does not make up for a failure, and n/a is none."""
    progress = Progress()
    assert progress.finish_round("load", 3, [1.0, None, math.nan]) == {1}
    assert progress.finish_round("load", 3, [None, 1.0, 1.0]) == {0, 1}
    assert progress.finish_round("dump", 3, [1.0, 1.0, 1.0]) == set()


def test_slow_cell_sits_out() -> None:
    """Only a cell that is n/a and was called often enough keeps what it has."""
    done = {KEY, ("load", "small", "raw"), ("dump", "text", "joblib")}
    assert sat_out("load", CELLS, [math.nan, 1.0, math.nan], done) == {0}
    assert sat_out("load", CELLS, [None, 1.0, 1.0], done) == set()


def content(**results: list[Any]) -> dict[str, Any]:
    """Return what a result file holds."""
    return {"commit_hash": "c", "result_columns": ["result", "version"], "results": results}


def test_unfinished_benchmark_shows_what_was_there_before() -> None:
    """The others, and one that was never measured before, show what is new."""
    old = content(load=[[1.0], "1"], dump=[[1.0], "1"])
    new = content(load=[[9.0], "2"], dump=[[9.0], "2"], size=[[9.0], "2"])
    expected = content(load=[[1.0], "1"], dump=[[9.0], "2"], size=[[9.0], "2"])
    assert whole(new, old, {"load", "size"}) == expected
    assert whole(new, {}, {"load"}) == new


def test_rows_of_an_older_file_are_read_by_their_columns() -> None:
    """A row may have other columns than those of today, and may be shorter than its columns."""
    old = {"result_columns": ["version", "old", "result"], "results": {"load": ["1", 0]}}
    assert whole(content(load=[[9.0], "2"]), old, {"load"})["results"] == {"load": [None, "1"]}


def test_silent_cell_is_one_without_a_failure_of_this_run() -> None:
    """What another run, another question or a success has said explains nothing."""

    def record(backend: str, **facts: Any) -> Record:
        names = {"pipeline": "small", "backend": backend, "access": "load", "question": "load"}
        said = {"status": "failed", "outcome": Outcome.CRASH, "reason": "", "run": "now"}
        return Record(**{**names, **said, **facts})

    cells = [("small", name) for name in "abcdefg"]
    records = [
        record("a"),
        record("b", question=""),
        record("c", run="before"),
        record("d", question="dump"),
        record("e", status="ok"),
        record("f", question="", access="map"),  # of the artifact that this question does not open
    ]
    assert unexplained(cells, records, "load", "now") == cells[2:]
    assert ("small", "f") not in unexplained(cells, records, "map", "now")


def pairs(ratio: float, version: str = "1") -> Pairs:
    """Return the paired calls of one process."""
    return Pairs(KEY, version, {"raw": [[ratio]]}, [[1.0]])


def test_pairs_are_kept_when_all_rounds_are_there() -> None:
    """Until then the file shows those of the run before."""
    gathered = GatheredPairs({KEY: pairs(1.0)})
    gathered.add("load", [pairs(8.0)], append=False)
    assert gathered.finished({"load"}) == {KEY: pairs(1.0)}
    gathered.written({"load"})
    gathered.add("load", [pairs(9.0)], append=True)
    (result,) = gathered.finished(set()).values()
    assert result.ratios == {"raw": [[8.0], [9.0]]}
    gathered.written(set())
    assert (gathered.stored, gathered.new) == ({KEY: result}, {})


def test_pairs_of_an_appended_run_are_added_to_those_before() -> None:
    """The first round is appended only if the reader wants that; another version is replaced."""
    gathered = GatheredPairs({KEY: pairs(1.0)})
    gathered.add("load", [pairs(8.0)], append=True)
    assert gathered.finished(set())[KEY].ratios == {"raw": [[1.0], [8.0]]}
    gathered = GatheredPairs({KEY: pairs(1.0)})
    gathered.add("load", [pairs(8.0, version="2")], append=True)
    assert gathered.finished(set())[KEY].ratios == {"raw": [[8.0]]}
