"""One folder and one variable tell the processes of a run what they have to know of it."""

import dataclasses
import math
import time
from pathlib import Path

import pytest

from persistbench.records import run


def test_process_outside_a_run_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable there is no run."""
    monkeypatch.delenv(run.VARIABLE, raising=False)
    assert run.current() is None
    assert run.began() is None


def test_run_is_known_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that inherits the variable knows when the run began and where records go."""
    folder = run.begin(tmp_path / "outcomes.jsonl", "0.6.6")
    monkeypatch.setenv(run.VARIABLE, str(folder))
    own = run.current()
    assert own is not None
    assert own == run.Run(folder, own.began, tmp_path / "outcomes.jsonl", "0.6.6", run.Cells())
    assert run.began() == own.began
    assert folder.stat().st_mode & 0o077 == 0


def test_announced_cells_reach_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each environment has a run of its own, and each run knows the cells."""
    cells = run.Cells(("small",), ("joblib", "raw"))
    with run.announced(run.Announced(cells, 5.0, page=True)) as variables:
        monkeypatch.setenv(run.VARIABLE, variables[run.VARIABLE])
        assert run.current() is None  # announced, and not begun
        folders = []
        for environment in ("first", "second"):
            folders.append(run.begin(tmp_path / environment, "0.6.6"))
            monkeypatch.setenv(run.VARIABLE, str(folders[-1]))
            own = run.current()
            assert own is not None
            assert (own.in_advance, own.outcomes) == (cells, tmp_path / environment)
            assert (own.until, own.page) == (5.0, True)
    assert folders[0] != folders[1]


def test_budget_is_spent_when_its_time_has_come(tmp_path: Path) -> None:
    """The clock is the system's monotonic one: nobody can set it."""
    own = run.Run(tmp_path, "", tmp_path / "a.outcomes.jsonl", "", run.Cells(), time.monotonic())
    assert own.over
    assert not dataclasses.replace(own, until=math.inf).over
    assert own.pairs == tmp_path / "a.pairs.jsonl"


def test_processes_tell_what_they_have_spent(tmp_path: Path) -> None:
    """Each adds its seconds; before the first there are none."""
    own = run.Run(tmp_path, "", tmp_path, "", run.Cells())
    assert own.spent() == (0, 0)
    own.spend(1.0, 3.0)
    own.spend(0.5, 1.0)
    assert own.spent() == (1.5, 4.0)


def test_announced_folder_is_removed() -> None:
    """What the command has made is gone when asv has ended."""
    with run.announced(run.Announced()) as variables:
        assert Path(variables[run.VARIABLE]).is_dir()
    assert not Path(variables[run.VARIABLE]).exists()
