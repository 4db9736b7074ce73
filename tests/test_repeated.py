"""The page shows first calls beside repeated calls where they lie apart, and whose is whose."""

from pathlib import Path

from persistbench.records.collect import collect
from persistbench.report.sections import repeated
from tests._results import describe, measured, params

GRID = params(["small", "text"], ["pickle-5", "joblib"])
LOAD, AGAIN = "load.Load.time_load", "repeated.Load.time_load_repeated"


def results(folder: Path, first: list[float | None], again: list[float | None]) -> Path:
    """Store both kinds of loads of two pipelines by two backends; return the folder."""
    describe(folder, [LOAD, AGAIN], grid=GRID)
    measured(folder, first, name=LOAD, grid=GRID)
    measured(folder, again, name=AGAIN, grid=GRID)
    return folder


def test_only_what_lies_apart_is_shown(tmp_path: Path) -> None:
    """Of `text`, joblib takes 3 times as long at first and 6 times later; of `small`, the same."""
    table = collect(results(tmp_path, [1.0, 2.0, 1.0, 3.0], [0.5, 1.0, 0.5, 3.0]))
    (row,) = repeated.rows(table, 0)
    assert (row.question, row.pipeline, row.backend) == ("load", "text", "joblib")
    assert (row.first.value, row.again.value, row.apart) == (3.0, 6.0, 2.0)
    html = repeated.render(table)
    assert html is not None
    assert "1 of 2 pairs of figures" in html
    assert "whoever loads a model once" in html


def test_section_needs_both_kinds(tmp_path: Path) -> None:
    """Without repeated calls there is nothing to compare."""
    describe(tmp_path, [LOAD], grid=GRID)
    measured(tmp_path, [1.0, 2.0, 1.0, 3.0], name=LOAD, grid=GRID)
    assert repeated.render(collect(tmp_path)) is None


def test_cell_without_a_figure_is_left_out(tmp_path: Path) -> None:
    """What failed in one of the two, or has no reference, is compared with nothing."""
    table = collect(results(tmp_path, [1.0, None, 1.0, 3.0], [0.5, 1.0, None, 3.0]))
    assert repeated.compared(table, 0) == 0
    assert repeated.render(table) is None
