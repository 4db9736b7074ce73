"""The share of a run that was spent inside timed calls is calculated from what it added."""

from pathlib import Path

from persistbench.suite.cost import samples, seconds_inside
from tests._results import describe, measured

CELL = ("machine/run.json", "load.Load.time_load", "'small', 'joblib'")
OTHER = ("machine/run.json", "load.Load.time_load", "'small', 'raw'")
NAME = "load.Load.time_load 'small', 'joblib'"


def test_new_samples_count() -> None:
    """Every sample of a cell that was not there before is part of the run."""
    result = seconds_inside({}, {CELL: [1.0, 2.0], OTHER: [0.5]})
    assert result == {NAME: 3.0, "load.Load.time_load 'small', 'raw'": 0.5}


def test_replaced_samples_count_in_full() -> None:
    """A cell measured again counts with its new samples only."""
    assert seconds_inside({CELL: [9.0, 9.0]}, {CELL: [1.0, 2.0]}) == {NAME: 3.0}


def test_appended_samples_count_alone() -> None:
    """Where samples were added to old ones, the old ones are not part of the run."""
    assert seconds_inside({CELL: [9.0, 9.0]}, {CELL: [9.0, 9.0, 1.0]}) == {NAME: 1.0}


def test_untouched_cells_do_not_count() -> None:
    """A narrowed run does not take credit for what was measured before it."""
    assert seconds_inside({CELL: [9.0]}, {CELL: [9.0]}) == {}


def test_shared_processes_are_not_counted_again_and_again(tmp_path: Path) -> None:
    """The stages of a fresh process and their total are told by the same process."""
    names = ("load.Load.time_load", "fresh.Total.time_fresh_total")
    describe(tmp_path, names)
    for name in names:
        measured(tmp_path, [1.0] * 4, name=name)
    assert {benchmark for _, benchmark, _ in samples(tmp_path)} == {names[0]}
