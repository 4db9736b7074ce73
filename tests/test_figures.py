"""The tidy table has a row for every figure and every refusal, and says what it left out."""

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asv.benchmarks import Benchmarks
from asv.results import Results
from asv.runner import BenchmarkResult
from asv.util import write_json

from persistbench.report.compare import ranked
from persistbench.report.figures import COLUMNS, Figure, collect, to_csv
from persistbench.report.formats import human, to_json, to_markdown

PARAMS = [["'small'", "'<script>'"], ["'pickle-5'", "'joblib'"]]
NAMES = ("load.Load.time_load", "mmap.Map.time_map")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder of one machine, with a description of two benchmarks."""
    write_json(str(tmp_path / "desk" / "machine.json"), {"machine": "desk"}, 1)
    described = {
        name: {"name": name, "version": "1", "unit": "seconds", "params": PARAMS} for name in NAMES
    }
    write_json(Benchmarks.get_benchmark_file_path(str(tmp_path)), described, Benchmarks.api_version)
    return tmp_path


def measured(
    folder: Path,
    values: list[float | None],
    *,
    name: str = NAMES[0],
    version: str = "1",
    started: int = 1,
    commit: str = "c",
) -> Path:
    """Store one benchmark as asv does; NaN is n/a and None a failure. Return the file."""
    result = Results({"machine": "desk"}, {}, commit * 40, 0, "3.11", "env", {})
    result.load_data(str(folder))
    good = [v is not None and not math.isnan(v) for v in values]
    round_ = BenchmarkResult(
        [True if g else v for g, v in zip(good, values, strict=True)],
        [[v * 0.99, v, v * 1.01] if g else None for g, v in zip(good, values, strict=True)],  # type: ignore[operator]
        [1 if g else None for g in good],
        0,
        "",
        None,
    )
    result.add_result({"name": name, "version": version, "params": PARAMS}, round_)
    result._started_at[name] = started
    result.save(str(folder))
    return folder / result._filename


def record(path: Path, **facts: Any) -> None:
    """Append an outcome record beside a result file."""
    line = {"access": "load", "question": "", "status": "n/a", "outcome": "unsupported"} | facts
    with path.with_suffix(".outcomes.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def cells(figures: list[Figure]) -> dict[tuple[str, str], Figure]:
    """Return the figures of one question by pipeline and backend."""
    return {(figure.pipeline, figure.backend): figure for figure in figures}


def test_every_cell_has_a_row_with_its_status(results: Path) -> None:
    """A figure, a refusal with its reason, a failure and a cell that was not run."""
    path = measured(results, [0.5, math.nan, None, math.nan])
    record(path, pipeline="small", backend="joblib", outcome="not-installed", reason="no joblib")
    record(
        path, pipeline="<script>", backend="pickle-5", status="failed", outcome="crash", reason=""
    )
    table = collect(results)
    found = cells(table.figures)
    assert not table.warnings
    assert found["small", "pickle-5"].value == 0.5
    assert found["small", "pickle-5"].samples == 3
    refused = found["small", "joblib"]
    assert (refused.status, refused.reason) == ("n/a", "not-installed: no joblib")
    assert found["<script>", "pickle-5"].status == "failed"
    assert found["<script>", "joblib"].status == "not run"


def test_question_has_a_reason_of_its_own(results: Path) -> None:
    """What concerns one question explains that one; what concerns the artifact, the others."""
    path = measured(results, [math.nan] * 4, name="mmap.Map.time_map")
    record(path, pipeline="small", backend="pickle-5", access="map", reason="no map")
    record(path, pipeline="small", backend="pickle-5", access="load", reason="not asked")
    record(path, pipeline="small", backend="joblib", access="map", question="map", reason="its own")
    found = cells(collect(results).figures)
    assert found["small", "pickle-5"].reason == "unsupported: no map"
    assert found["small", "joblib"].reason == "unsupported: its own"


def test_newest_figure_of_a_cell_is_shown(results: Path) -> None:
    """A narrower run of a later commit replaces its own cells and leaves the others."""
    measured(results, [1.0, 2.0, 3.0, 4.0], started=1, commit="a")
    measured(results, [9.0, math.nan, math.nan, math.nan], started=2, commit="b")
    found = cells(collect(results).figures)
    assert [found[place].value for place in sorted(found)] == [4.0, 3.0, 2.0, 9.0]


def test_foreign_and_cut_off_files_are_named(results: Path) -> None:
    """A truncated result file is named and skipped; the rest is shown."""
    good = measured(results, [1.0, 2.0, 3.0, 4.0])
    (results / "desk" / "cut.json").write_text(good.read_text()[:100])
    good.with_suffix(".outcomes.jsonl").write_text('{"pipeline"')
    table = collect(results)
    assert len(table.figures) == 4
    assert any("cut.json is left out" in warning for warning in table.warnings)
    assert any("line 1" in warning for warning in table.warnings)


def test_older_version_of_a_benchmark_is_said(results: Path) -> None:
    """Figures of another version are not mixed with today's, and not silently dropped."""
    measured(results, [1.0, 2.0, 3.0, 4.0], version="0")
    table = collect(results)
    assert not table.figures
    assert "another version" in table.warnings[0]


def figure(backend: str, value: float | None, low: float | None, high: float | None) -> Figure:
    """Return a row that differs from others in these only."""
    status = "n/a" if value is None else "ok"
    return Figure("m", "e", "load", "p", backend, value, "seconds", low, high, 3, status, "")


def test_ranks_show_ties() -> None:
    """A backend whose interval meets that of the first is shown as a tie with it."""
    rows = [
        figure("slow", 3.0, 2.9, 3.1),
        figure("first", 1.0, 0.9, 1.2),
        figure("close", 1.1, 1.0, 1.3),
        figure("none", None, None, None),
        figure("raw", 0.1, 0.1, 0.1),
    ]
    found = {row.backend: rank for rank, row in ranked(rows)}
    assert found == {"raw": "floor", "first": "1", "close": "=2", "slow": "3", "none": ""}


def test_machines_are_never_ranked_together() -> None:
    """Each machine and environment has a first of its own."""
    here = figure("a", 1.0, 0.9, 1.1)
    there = replace(here, machine="other", value=2.0)
    elsewhere = replace(here, environment="other", value=3.0)
    assert [rank for rank, _ in ranked([here, there, elsewhere])] == ["1", "1", "1"]


def test_interval_of_a_time_is_not_negative(results: Path) -> None:
    """No call takes less than nothing, whatever an interval of few samples says."""
    measured(results, [1e-3, 1.0, 2.0, 3.0])
    assert all(row.low is not None and row.low >= 0 for row in collect(results).figures)


def test_csv_holds_the_columns_of_the_design() -> None:
    """The header is the common tongue, and an absent number is an empty field."""
    rows = list(csv.DictReader(io.StringIO(to_csv([figure("a,b", None, None, None)]))))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["backend"] == "a,b"
    assert rows[0]["value"] == ""


def test_other_formats_hold_the_same_rows() -> None:
    """JSON is strict and has the rank; Markdown escapes what would break its table or a page."""
    rows = ranked([figure("a|<script>", 0.0123, 0.012, 0.0125)])
    (found,) = json.loads(to_json(rows))
    assert (found["rank"], found["value"], found["backend"]) == ("1", 0.0123, "a|<script>")
    line = to_markdown(rows).splitlines()[-1]
    assert "12.3 ms" in line
    assert r"a\|&lt;script>" in line


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5, "seconds", "1.5 s"),
        (0.0123, "seconds", "12.3 ms"),
        (2.5e-5, "seconds", "25 µs"),
        (0.0, "seconds", "0 µs"),
        (32_320_714, "bytes", "32.3 MB"),
        (999, "bytes", "999 B"),
        (0, "predictions", "0 predictions"),
        (None, "bytes", ""),
    ],
)
def test_values_are_readable(value: float | None, unit: str, text: str) -> None:
    """Three significant digits and a unit that fits."""
    assert human(value, unit) == text
