"""Cells are examined ahead, in processes of their own."""

import json
from pathlib import Path

import pytest

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells import in_advance
from persistbench.cells.cell import Cell
from persistbench.records.pairs import FOLDER


def _cells(mapped: bool = False) -> list[Cell]:
    names = ("joblib", "pickle-5-zstd-1")
    return [Cell(catalogue.get("custom_state"), backends.get(name), mapped) for name in names]


def test_named_cells_are_known_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the cells that are named each is examined; mapped, too, where that can be."""
    named = json.dumps((["custom_state"], ["joblib", "pickle-5-zstd-1"]))
    monkeypatch.setenv(in_advance.CELLS, named)
    in_advance.examine()  # without a folder of the run nothing is done
    assert not any(cell.known_to_be_right for cell in _cells())
    monkeypatch.setenv(FOLDER, str(tmp_path))
    in_advance.examine()
    assert all(cell.known_to_be_right for cell in _cells())
    assert [cell.known_to_be_right for cell in _cells(mapped=True)] == [True, False]
