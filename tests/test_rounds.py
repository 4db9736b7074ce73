"""What the rounds of a run ask, and what they add up to, without asv."""

import math
from typing import Any

from persistbench.outcomes import Outcome
from persistbench.records.outcome import Record
from persistbench.records.pairs import Key, Pairs
from persistbench.suite.rounds import Benchmark, Progress, unexplained

CELLS = [("small", "joblib"), ("small", "raw"), ("text", "joblib")]
ALL = {0, 1, 2}
SIZE = Benchmark("size.Size.track_size", "1", 1, CELLS)
AUDIT = Benchmark("audit.Audit.time_audit", "1", 2, CELLS)
LOAD = Benchmark("load.Load.time_load", "1", 7, CELLS)


def pairs(benchmark: Benchmark, index: int, *ratios: float, version: str = "1") -> Pairs:
    """Return the processes of a cell."""
    cpu = [[1.0] for _ in ratios]
    return Pairs(benchmark.key(index), version, {"raw": [[one] for one in ratios]}, cpu)


def stored(*several: Pairs) -> dict[Key, Pairs]:
    """Return pairs by key."""
    return {one.key: one for one in several}


def test_each_benchmark_is_asked_in_the_first_round() -> None:
    """Each is asked as often as it has rounds, and not in the last rounds alone."""
    progress = Progress({})
    assert progress.ask(SIZE, ALL) == progress.ask(AUDIT, ALL) == ALL
    assert progress.ask(SIZE, ALL) == set()
    assert progress.ask(AUDIT, ALL) == ALL
    assert progress.ask(AUDIT, ALL) == set()
    assert progress.round == 3


def test_cell_that_failed_or_is_na_is_asked_no_more() -> None:
    """Another process would say the same again."""
    progress = Progress({})
    asked = progress.ask(AUDIT, ALL)
    assert progress.add(AUDIT, asked, [1.0, None, math.nan]) == ({1}, set())
    assert progress.ask(AUDIT, ALL) == {0}


def test_what_has_a_figure_is_not_asked_again() -> None:
    """The same command goes on where it stopped: with what has no figure, or too few rounds."""
    known = {SIZE.name: {0, 1}, AUDIT.name: {0, 1}}
    progress = Progress(stored(pairs(AUDIT, 0, 1.0), pairs(AUDIT, 1, 1.0, 1.0)), known)
    assert progress.ask(SIZE, ALL) == {2}
    assert progress.ask(AUDIT, ALL) == {0, 2}
    added = Progress({}, known, resumes=False)
    assert added.ask(SIZE, ALL) == ALL


def test_first_calls_go_on_while_they_are_open() -> None:
    """In the first round those without a figure are asked, and then those that are open."""
    known = stored(pairs(LOAD, 0, 1.0), pairs(LOAD, 1, 1.0))
    progress = Progress(known, open_keys=lambda own: {LOAD.key(1)} & own.keys())
    assert progress.ask(LOAD, ALL) == {1, 2}
    progress.add(LOAD, {1, 2}, [1.0, 1.0, math.nan])
    assert progress.ask(LOAD, ALL) == {1}
    assert progress.ask(LOAD, {0}) == set()


def test_cell_that_waits_is_asked_in_the_next_round() -> None:
    """It is n/a until then, and not for ever."""
    progress = Progress({}, open_keys=set, waiting=lambda: {LOAD.key(0)})
    progress.add(LOAD, progress.ask(LOAD, {0, 1}), [math.nan, math.nan, 1.0])
    assert progress.ask(LOAD, {0, 1}) == {0}


def test_first_calls_of_another_version_are_not_there() -> None:
    """What is timed has changed, so the figure is made anew."""
    progress = Progress(stored(pairs(LOAD, 0, 1.0, version="0")), open_keys=set)
    assert progress.ask(LOAD, ALL) == ALL


def test_budget_ends_all_rounds_but_the_first() -> None:
    """Every cell has a figure or a reason, whatever the budget."""
    progress = Progress({}, open_keys=set, over=lambda: True)
    assert progress.ask(LOAD, ALL) == ALL
    assert progress.ask(AUDIT, ALL) == ALL
    assert progress.ask(AUDIT, ALL) == set()


def test_cell_that_sits_out_keeps_what_it_has() -> None:
    """A cell that is n/a and was measured before has refused another round, and no more."""
    progress = Progress(stored(pairs(LOAD, 0, 1.0)))
    assert progress.add(LOAD, {0, 1}, [math.nan, math.nan, 1.0]) == (set(), {0})


def test_pairs_of_a_failed_cell_are_dropped() -> None:
    """A cell that failed once has failed: a later run measures it anew."""
    progress = Progress(stored(pairs(LOAD, 0, 1.0)))
    progress.add(LOAD, {0}, [None, 1.0, 1.0])
    assert progress.stored == {}


def test_pairs_of_a_round_are_added() -> None:
    """To what is stored of first calls, of this run, or of a run that goes on."""
    for benchmark, resumes in ((LOAD, False), (AUDIT, True)):
        progress = Progress(stored(pairs(benchmark, 0, 1.0)), resumes=resumes)
        progress.keep(benchmark, [pairs(benchmark, 0, 8.0)], append=False)
        assert progress.stored[benchmark.key(0)].ratios == {"raw": [[1.0], [8.0]]}
    progress = Progress(stored(pairs(AUDIT, 0, 1.0)), resumes=False)
    for number in (8.0, 9.0):
        progress.keep(AUDIT, [pairs(AUDIT, 0, number)], append=False)
    assert progress.stored[AUDIT.key(0)].ratios == {"raw": [[8.0], [9.0]]}
    progress.keep(AUDIT, [pairs(AUDIT, 0, 7.0, version="2")], append=True)
    assert progress.stored[AUDIT.key(0)].ratios == {"raw": [[7.0]]}


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
