"""Cells are examined in advance, in processes of their own."""

import subprocess
from pathlib import Path

import pytest

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells import in_advance
from persistbench.cells.cell import Cell
from persistbench.records import run

BACKENDS = ("joblib", "pickle-5-zstd-1")


def _cells(mapped: bool = False) -> list[Cell]:
    return [Cell(catalogue.get("custom_state"), backends.get(name), mapped) for name in BACKENDS]


def test_named_cells_are_known_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each named cell is examined; it is examined mapped, too, where that can be."""
    with run.announced(run.Announced(run.Cells(["custom_state"], BACKENDS))) as variables:
        monkeypatch.setenv(run.VARIABLE, variables[run.VARIABLE])
        in_advance.examine()  # the run has not begun: nothing is done
        assert not any(cell.known_to_be_right for cell in _cells())
        folder = run.begin(tmp_path / "outcomes.jsonl", "0.6.6")
    monkeypatch.setenv(run.VARIABLE, str(folder))
    in_advance.examine()
    assert all(cell.known_to_be_right for cell in _cells())
    assert [cell.known_to_be_right for cell in _cells(mapped=True)] == [True, False]


def test_run_without_named_cells_examines_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without names no program is started."""
    monkeypatch.setenv(run.VARIABLE, str(run.begin(tmp_path / "outcomes.jsonl", "0.6.6")))
    monkeypatch.setattr(subprocess, "run", None)
    in_advance.examine()
