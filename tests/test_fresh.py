"""A fresh process is measured from its start, and every stage is there."""

from pathlib import Path
from typing import Any

import pytest

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.measure import fresh
from persistbench.records.questions import STAGES


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A right cell, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    result = Cell(catalogue.get("small"), backends.get("joblib-zlib-3"))
    assert result.examine().same
    return result


def test_stages_are_measured_and_imports_are_found(cell: Cell) -> None:
    """Without a list the imports happen in the load; with it, before."""
    imported = fresh.imports([cell])
    assert {"joblib", "sklearn.linear_model._logistic"} <= set(imported.shared)
    (late,) = fresh.measure([cell], fresh.Imports([], {cell.backend.id: []}))
    (early,) = fresh.measure([cell], imported)
    assert all(early[stage] >= 0 for stage in STAGES)
    assert early["imports"] > early["construct"]
    assert late["construct"] > early["construct"]


def test_cells_of_a_process_share_its_start(cell: Cell) -> None:
    """Two backends have the same start, and each the imports that only it needs."""
    other = Cell(catalogue.get("small"), backends.get("cloudpickle"))
    assert other.examine().same
    imported = fresh.imports([other, cell])
    one, two = fresh.measure([other, cell], imported)
    assert one["interpreter"] == two["interpreter"]
    assert imported.own[other.backend.id] == []
    assert imported.count(cell.backend.id) >= len(imported.shared)
    assert one["construct"] != two["construct"]


def test_harness_is_charged_to_nobody(cell: Cell) -> None:
    """What the child imports for itself is neither NumPy nor any library that is measured."""
    assert "numpy" in fresh.imports([cell]).shared


def test_rows_are_those_of_the_fit_that_was_dumped(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked comes from the cell's own original; no other fit has to be there."""

    def none(self: Cell) -> Any:
        raise AssertionError("another fit was asked for")

    monkeypatch.setattr(Cell, "fitted", property(none))
    assert "numpy" in fresh.imports([cell]).shared


def test_process_that_fails_says_how(cell: Cell) -> None:
    """The last line of its traceback."""
    vars(cell)["artifact"] = Path("rows.pickle")  # which no decompressor takes
    with pytest.raises(ChildProcessError, match="Error"):
        fresh.imports([cell])
    with pytest.raises(ChildProcessError, match="Error"):
        fresh.measure([cell], fresh.Imports([], {cell.backend.id: []}))
