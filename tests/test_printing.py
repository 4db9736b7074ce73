"""What `asv run` prints: what was asked and no more, and where it keeps nothing."""

import math
from pathlib import Path
from typing import Any

import pytest
from asv.results import Results
from asv.runner import BenchmarkResult

from persistbench.records import run
from persistbench.suite import printing
from persistbench.suite.run_plugin import SafeResults

NAME = "load.Load.time_load"
GRID = [["'small'", "'text'"], [f"'backend-{number}'" for number in range(200)]]
BENCHMARK = {"name": NAME, "version": "1", "unit": "seconds", "params": GRID}


def results(kind: type[Results], selected: set[int] | None, **values: float | None) -> Results:
    """Return results of one round; cells that are not named are n/a."""
    round_ = [values.get(f"cell_{index}", math.nan) for index in range(400)]
    own = kind({"machine": "desk"}, {}, "c" * 40, 0, "3.11", "env", {})
    own.add_result(
        BENCHMARK,
        BenchmarkResult(round_, [None] * 400, [None] * 400, 0, "", None),
        selected_idx=selected,
    )
    return own


def test_only_what_was_asked_is_printed() -> None:
    """Of 400 cells three were asked: a figure, a refusal and a failure."""
    own = results(SafeResults, {0, 1, 201}, cell_0=0.25, cell_201=None)
    info, details = printing.formatted(own, BENCHMARK)
    assert info == "1/3 failed"
    assert details is not None
    assert [line.split() for line in details.splitlines()] == [
        ["small,", "backend-0", "250ms"],
        ["small,", "backend-1", "n/a"],
        ["text,", "backend-1", "failed"],
    ]


def test_earlier_figures_are_not_printed_again() -> None:
    """What an earlier run has measured, and this one did not ask, is left out."""
    own = results(SafeResults, {0}, cell_0=0.25)
    own.add_result(
        {**BENCHMARK, "name": "dump.Dump.time_dump"},
        BenchmarkResult([1.0] * 400, [None] * 400, [None] * 400, 0, "", None),
        selected_idx=set(),
    )
    info, details = printing.formatted(own, BENCHMARK)
    assert (info, details) == ("ok", "small, backend-0  250ms")


def test_where_nobody_knows_what_was_asked_refusals_are_left_out() -> None:
    """asv's own results, as in `asv show`, do not tell: what has no figure is not printed."""  # noqa: D403 (its name)
    own = results(Results, None, cell_0=0.25, cell_3=None)
    assert printing.formatted(own, BENCHMARK) == (
        "1/2 failed",
        "small, backend-0  250ms\nsmall, backend-3  failed",
    )


@pytest.mark.parametrize("kept", [True, False])
def test_run_that_keeps_nothing_says_so_first_and_last(
    kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asv loads what was there only if it is going to save, and is silent otherwise."""  # noqa: D403
    monkeypatch.setenv(run.VARIABLE, "")
    said: list[str] = []
    monkeypatch.setattr(printing.log, "warning", said.append)
    monkeypatch.setattr(printing, "asv_run_benchmarks", lambda *_, **__: said.append("measured"))
    own: Any = SafeResults({"machine": "desk"}, {}, "c" * 40, 0, "3.11", "env", {})
    if kept:
        own.load_data(str(tmp_path))
    printing.run_benchmarks({}, None, results=own)
    silent = ["measured"]
    assert said == (silent if kept else [printing.NOTHING_KEPT, "measured", printing.NOTHING_KEPT])
