"""One folder and one variable tell the processes of a run what they have to know of it."""

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
    with run.announced(cells) as variables:
        monkeypatch.setenv(run.VARIABLE, variables[run.VARIABLE])
        assert run.current() is None  # announced, and not begun
        folders = []
        for environment in ("first", "second"):
            folders.append(run.begin(tmp_path / environment, "0.6.6"))
            monkeypatch.setenv(run.VARIABLE, str(folders[-1]))
            own = run.current()
            assert own is not None
            assert (own.in_advance, own.outcomes) == (cells, tmp_path / environment)
    assert folders[0] != folders[1]


def test_announced_folder_is_removed() -> None:
    """What the command has made is gone when asv has ended."""
    with run.announced(run.Cells()) as variables:
        assert Path(variables[run.VARIABLE]).is_dir()
    assert not Path(variables[run.VARIABLE]).exists()
