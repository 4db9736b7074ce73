"""The answer names the best backends, those equal to them or undecided, and their price."""

from pathlib import Path

import pytest

from persistbench.records.collect import collect
from persistbench.records.figures import Table
from persistbench.report.sections import answer
from persistbench.report.total import Deployment
from tests._results import N_A, describe, measured, params, record

BACKENDS = ("fast", "close", "small", "raw")
GRID = params(("model", "lost"), BACKENDS)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Two pipelines; nobody saves the second one."""
    lost = [N_A] * 4
    questions = {
        "dump.Dump.time_dump": [1.0, 1.01, 4.0, 0.1],
        "load.Load.time_load": [1.0, 1.02, 3.0, 0.1],
        "size.Size.track_size": [2e9, 2.1e9, 1e9, 2e9],
    }
    describe(tmp_path, tuple(questions), grid=GRID)
    for name, values in questions.items():
        path = measured(tmp_path, [*values, *lost], name=name, grid=GRID)
    record(path, pipeline="lost", backend="fast", outcome="error-at-dump", reason="TypeError: no")
    return collect(tmp_path)


def test_best_of_each_question_with_rivals_and_price(table: Table) -> None:
    """The floor is no contender; a price is a multiple of the best figure of that question."""
    row = answer.answers(table, table.platforms[0])["model"]
    assert {question: winner.figure.backend for question, winner in row.items()} == {
        "total": "small",
        "load": "fast",
        "dump": "fast",
        "size": "small",
    }
    assert list(row["load"].rivals) == ["close"]
    price = {question: {q: r.value for q, r in row[question].price.items()} for question in row}
    assert price["load"] == {"dump": 1.0, "size": 2.0}
    assert price["size"] == {"load": 3.0, "dump": 4.0}


def test_total_is_the_formula_of_the_page(table: Table) -> None:
    """Dump + size / bandwidth + workers x loads x (size / bandwidth + load)."""
    figures = table.cells(table.platforms[0])["model"]["small"]
    work = Deployment(loads=3, workers=2, bandwidth=1e9)
    total = work.total(figures["dump"], figures["load"], figures["size"])
    assert total.value == pytest.approx(4.0 + 1.0 + 6 * (1.0 + 3.0))
    assert total.low is not None
    assert total.high is not None
    assert total.low < total.value < total.high


def test_summary_counts_equal_and_undecided_as_best(table: Table) -> None:
    """Who is equal to the best, or undecided, is counted with it."""
    rows = answer.answers(table, table.platforms[0])
    assert answer.summary(rows) == [("small", 1, 1)]


def test_pipeline_that_nobody_saves_says_why(table: Table) -> None:
    """It has no winner, and the most frequent reason."""
    assert answer.answers(table, table.platforms[0])["lost"] == {}
    assert answer.refusals(table, table.platforms[0])["lost"] == "error-at-dump: TypeError: no"
