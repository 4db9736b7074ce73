"""A fresh process is measured from its start, and every stage is there."""

from pathlib import Path

import pytest

from persistbench import backends, catalogue, fresh
from persistbench.cells import Cell


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A right cell, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    found = Cell(catalogue.get("small"), backends.get("joblib-zlib-3"))
    assert found.examine().same
    return found


def test_stages_are_measured_and_imports_are_found(cell: Cell) -> None:
    """Without a list the imports happen in the load; with it, before."""
    first = fresh.measure(cell, None)
    assert {"joblib", "sklearn.linear_model._logistic"} <= set(first["modules"])
    again = fresh.measure(cell, first["modules"])
    assert all(again[stage] >= 0 for stage in fresh.STAGES)
    assert again["imports"] > again["construct"]
    assert first["construct"] > again["construct"]


def test_harness_is_charged_to_nobody(cell: Cell) -> None:
    """What the child imports for itself is neither NumPy nor any library that is measured."""
    assert "numpy" in fresh.measure(cell, None)["modules"]


def test_process_that_fails_says_how(cell: Cell) -> None:
    """The last line of its traceback."""
    vars(cell)["artifact"] = Path("rows.pickle")  # which no decompressor takes
    with pytest.raises(ChildProcessError, match="Error"):
        fresh.measure(cell, None)
