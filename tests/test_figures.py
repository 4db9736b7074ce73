"""The tidy table has a row for every figure and every refusal, and says what it left out."""

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from persistbench.records import pairs
from persistbench.records.collect import collect
from persistbench.records.figures import COLUMNS, Figure, to_csv
from persistbench.report.compare import ranked, ratio, steady
from persistbench.report.tables import print_table, to_json, to_markdown
from persistbench.statistics import ratios
from persistbench.units import human, times
from tests._results import NAMES, describe, figure, measured, params, record


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder of one machine, with a description of two benchmarks."""
    return describe(tmp_path)


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
    result = cells(table.figures)
    assert not table.warnings
    assert result["small", "pickle-5"].value == 0.5
    assert result["small", "pickle-5"].samples == 3
    refused = result["small", "joblib"]
    assert (refused.status, refused.reason) == ("n/a", "not-installed: no joblib")
    assert result["<script>", "pickle-5"].status == "failed"
    assert result["<script>", "joblib"].status == "not run"


def test_derived_figures_are_ranked_as_the_measured_ones(results: Path) -> None:
    """A record of what a backend gives back counts for its ratios and its CPU times, too."""
    path = measured(results, [0.1, 0.2, 0.3, 0.4])
    own = pairs.Pairs(("load", "small", "joblib"), "1", {"pickle-5": [[2.0] * 3]}, [[0.1] * 3])
    pairs.write(path.with_suffix(".pairs.jsonl"), [own])
    table = collect(results)
    assert {figure.question for figure in table.derived} == {"load/pickle-5", "load_cpu"}
    assert {figure.returns for figure in table.derived} == {"estimator"}


def test_what_a_narrowed_run_left_out_was_not_run(results: Path) -> None:
    """Of names that its file does not know asv says None: they did not fail, they were not run.

    So it is after a run that was narrowed to an own pipeline, or to an own backend.
    """
    own = params(("small", "own"), ("pickle-5", "joblib", "own-1"))
    describe(results, grid=own)
    path = measured(results, [None, None, None, 0.5, None, None], grid=own)
    record(path, pipeline="own", backend="pickle-5", status="ok", outcome="same", reason="")
    record(path, pipeline="own", backend="own-1", status="failed", outcome="crash", reason="")
    record(path, pipeline="small", backend="own-1", outcome="error-at-dump", reason="no")
    result = {key: figure.status for key, figure in cells(collect(results).figures).items()}
    assert result == {
        ("small", "pickle-5"): "not run",
        ("small", "joblib"): "not run",
        ("small", "own-1"): "n/a",
        ("own", "pickle-5"): "ok",
        ("own", "joblib"): "not run",
        ("own", "own-1"): "failed",
    }


def test_failure_without_any_record_is_a_failure(results: Path) -> None:
    """Where the file of outcomes is lost, asv's word is all there is."""
    measured(results, [None, 0.5, 0.5, 0.5])
    figure = cells(collect(results).figures)["small", "pickle-5"]
    assert figure.status == "failed"
    assert "the file of outcomes is missing" in figure.reason


def test_reason_says_whose_fault_it_is_and_what_was_not_compared(results: Path) -> None:
    """Both stand in the reason: of a failure who is to blame, of a figure what nobody compared."""
    path = measured(results, [None, math.nan, math.nan, 0.5])
    facts = {"pipeline": "small", "status": "failed", "outcome": "error-at-build"}
    record(path, **facts, backend="pickle-5", reason="no data", blame="pipeline")
    refused = {"outcome": "not-installed", "reason": "no joblib", "blame": "machine"}
    record(path, pipeline="small", backend="joblib", **refused)
    no_map = {"outcome": "unsupported", "reason": "no map", "blame": "backend"}
    record(path, pipeline="<script>", backend="pickle-5", **no_map)
    note = ["predict: answers at random"]
    right = {"status": "ok", "outcome": "same", "reason": "", "uncompared": note}
    record(path, pipeline="<script>", backend="joblib", **right)
    result = {key: figure.reason for key, figure in cells(collect(results).figures).items()}
    assert result == {
        ("small", "pickle-5"): "error-at-build (pipeline): no data",
        ("small", "joblib"): "not-installed: no joblib",
        ("<script>", "pickle-5"): "unsupported: no map",
        ("<script>", "joblib"): "not compared: predict: answers at random",
    }


@pytest.mark.parametrize("width", [80, 130])
def test_table_fits_into_a_terminal(results: Path, width: int) -> None:
    """No line is longer than the terminal, no number is broken, and what was run is there."""
    names = ("pickle-5-zstd-3-checksum", *(f"backend-{number}" for number in range(30)))
    grid = params(("large_array_compressible",), names)
    describe(results, grid=grid)
    environment = "virtualenv-py3.11-" + "-".join(f"library{number}.1.2" for number in range(12))
    values = [1234.5678, *([None] * 29), 0.000123]
    path = measured(results, values, grid=grid, environment=environment)
    own = {"pipeline": "large_array_compressible", "backend": "backend-1"}
    record(path, **own, status="failed", outcome="crash", reason="ended by a signal " * 20)
    figures = collect(results).figures
    text = io.StringIO()
    print_table(ranked(figures), Console(width=width, file=text))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "(backend-1)" in text.getvalue()
    assert "not run: 28 backends" in text.getvalue()
    assert sum("ended by a signal" in line for line in lines) <= 20
    for one in figures:
        if one.value is not None:
            shown = f"{human(one.low, one.unit)} to {human(one.high, one.unit)}"
            assert sum(shown in line for line in lines) == 1


def test_question_that_nobody_asked_has_no_table(results: Path) -> None:
    """`show` has tables of what was asked, and counts what was not."""
    measured(results, [0.5, math.nan, math.nan, math.nan])
    text = io.StringIO()
    print_table(ranked(collect(results).figures), Console(width=80, file=text))
    assert "load of small" in text.getvalue()
    assert "<script>" not in text.getvalue()
    assert "1 question of a pipeline was not asked." in text.getvalue()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 130])
@pytest.mark.parametrize("name", ["b" * 70, "joblib-" * 10, "模型" * 30])
def test_name_too_long_for_the_terminal_is_broken_and_not_cut_off(width: int, name: str) -> None:
    """Every letter of a name is there, and every number stands whole in a line."""
    rows = ranked([figure(name, 1234.5, 1000.0, 2000.5), figure("pickle-5", 0.0123, 0.012, 0.0125)])
    text = io.StringIO()
    print_table(rows, Console(width=width, file=text))
    lines = text.getvalue().splitlines()
    assert "…" not in text.getvalue()
    assert sum("1,230 s   1,000 s to 2,000 s" in line for line in lines) == 1
    assert sum("12.3 ms     12 ms to 12.5 ms" in line for line in lines) == 1
    assert text.getvalue().count(name[-1]) >= name.count(name[-1])


def test_same_reason_of_several_backends_is_one_line() -> None:
    """Whatever a reason says of its own backend it says of others, and counts them."""
    refused = [
        replace(figure(name, None, None, None), reason=f"error-at-dump: {name} has no map")
        for name in ("one", "two", "three")
    ]
    own = replace(figure("four", None, None, None), reason="unsupported: not on two")
    text = io.StringIO()
    print_table(ranked([*refused, own]), Console(width=80, file=text))
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    assert "  n/a: error-at-dump: it has no map (3 backends: one, two, three)" in lines
    assert "  n/a: unsupported: not on two (four)" in lines
    assert all(line == line.rstrip() for line in text.getvalue().splitlines())


def test_line_is_broken_between_names() -> None:
    """A long line of backends keeps each id in one piece."""
    names = [f"pickle-5-level-{number}" for number in range(20)]
    refused = [replace(figure(name, None, None, None), reason="no") for name in names]
    text = io.StringIO()
    print_table(ranked(refused), Console(width=80, file=text))
    assert set(names) <= set(re.split(r"[ ,()\n]+", text.getvalue()))


def test_order_that_differs_from_that_of_the_medians_is_explained(results: Path) -> None:
    """A rank is that of paired calls where there are any, and a sentence says so."""
    path = measured(results, [1.0, 1.3, math.nan, math.nan])
    sentence = "Paired calls decide the ranks"

    def printed() -> str:
        text = io.StringIO()
        print_table(ranked(collect(results).figures), Console(width=80, file=text))
        return text.getvalue()

    assert sentence not in printed()
    own = pairs.Pairs(("load", "small", "joblib"), "1", {"pickle-5": [[0.5] * 6] * 3}, [[0.5]])
    pairs.write(path.with_suffix(".pairs.jsonl"), [own])
    assert sentence in printed()


def test_question_has_a_reason_of_its_own(results: Path) -> None:
    """What concerns one question explains that one; what concerns the artifact, the others."""
    path = measured(results, [math.nan] * 4, name="mmap.Map.time_map")
    record(path, pipeline="small", backend="pickle-5", access="map", reason="no map")
    record(path, pipeline="small", backend="pickle-5", access="load", reason="not asked")
    record(path, pipeline="small", backend="joblib", access="map", question="map", reason="its own")
    result = cells(collect(results).figures)
    assert result["small", "pickle-5"].reason == "unsupported: no map"
    assert result["small", "joblib"].reason == "unsupported: its own"


def test_newest_figure_of_a_cell_is_shown(results: Path) -> None:
    """A narrower run of a later commit replaces its own cells and leaves the others."""
    measured(results, [1.0, 2.0, 3.0, 4.0], started=1, commit="a" * 40)
    measured(results, [9.0, math.nan, math.nan, math.nan], started=2, commit="b" * 40)
    result = cells(collect(results).figures)
    assert [result[place].value for place in sorted(result)] == [4.0, 3.0, 2.0, 9.0]


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


def test_older_version_is_not_said_where_newer_figures_are(results: Path) -> None:
    """Whoever has measured again is not told to measure again."""
    measured(results, [1.0, 2.0, 3.0, 4.0], version="0")
    measured(results, [1.0, 2.0, 3.0, 4.0], commit="d" * 40)
    table = collect(results)
    assert len(table.figures) == 4
    assert not table.warnings


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
    (result,) = json.loads(to_json(rows))
    assert (result["rank"], result["value"], result["backend"]) == ("1", 0.0123, "a|<script>")
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
        (0.2518, "ratio", "0.252×"),
        (None, "bytes", ""),
    ],
)
def test_values_are_readable(value: float | None, unit: str, text: str) -> None:
    """Three significant digits and a unit that fits."""
    assert human(value, unit) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1, "1×"),
        (1.003, "1.00×"),
        (1.26, "1.3×"),
        (0.052, "0.052×"),
        (12.6, "13×"),
        (2430, "2,400×"),
    ],
)
def test_ratios_are_readable(ratio: float, text: str) -> None:
    """Two significant digits, and one that is not 1 is not shown as 1 exactly."""
    assert times(ratio) == text


def test_samples_are_kept_in_order(results: Path) -> None:
    """Every call behind a figure can be looked at; what was refused has none."""
    measured(results, [1.0, math.nan, None, 2.0])
    table = collect(results)
    result = {cell[3:]: calls for cell, calls in table.samples.items()}
    assert result == {
        ("small", "pickle-5"): [0.99, 1.0, 1.01],
        ("<script>", "joblib"): [1.98, 2.0, 2.02],
    }


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\n",
        b'{"pipeline": "small"}\n',
        b'{"pipeline": 3, "backend": "joblib", "access": "load", "question": ""}\n',
        b"[1]\n",
    ],
)
def test_foreign_lines_of_records_are_named(results: Path, line: bytes) -> None:
    """Whatever a record file holds, the figures beside it are shown."""
    path = measured(results, [1.0, math.nan, 3.0, 4.0])
    path.with_suffix(".outcomes.jsonl").write_bytes(line)
    table = collect(results)
    assert len(table.figures) == 4
    assert any("outcomes.jsonl" in warning for warning in table.warnings)


def test_benchmark_of_another_shape_is_named(results: Path) -> None:
    """A result without pipelines and backends is somebody else's."""
    path = measured(results, [1.0, 2.0, 3.0, 4.0])
    stored = json.loads(path.read_text())
    stored["results"][NAMES[0]][stored["result_columns"].index("params")] = [["1", "2", "3", "4"]]
    path.write_text(json.dumps(stored))
    table = collect(results)
    assert not table.figures
    assert any("is left out" in warning for warning in table.warnings)


def test_paired_calls_decide_order_and_words(results: Path) -> None:
    """Medians a third apart are undecided if paired calls do not differ; the table has both."""
    path = measured(results, [1.0, 1.3, math.nan, math.nan])
    rng = [0.99, 1.0, 1.01]
    turns = [
        pairs.Pairs(("load", "small", backend), "1", {"pickle-5": [[r] * 6 for r in rng]}, [[0.5]])
        for backend in ("pickle-5", "joblib")
    ]
    pairs.write(path.with_suffix(".pairs.jsonl"), turns)
    table = collect(results)
    result = cells(table.figures)
    reference, other = result["small", "pickle-5"], result["small", "joblib"]
    assert ratio(other, reference).value == pytest.approx(1.0, rel=1e-3)
    assert not ratio(other, reference).decided
    assert other.value == 1.3
    derived = {(row.question, row.backend): row for row in table.derived}
    assert derived["load/pickle-5", "joblib"].value == pytest.approx(1.0, rel=1e-3)
    assert derived["load/pickle-5", "joblib"].samples == 18
    assert derived["load_cpu", "joblib"].value == 0.5
    assert steady(other, reference).value == pytest.approx(1.0, rel=1e-3)


def test_pairs_of_another_version_are_not_used(results: Path) -> None:
    """They belong to figures that are left out, too."""
    path = measured(results, [1.0, 2.0, 3.0, 4.0])
    old = pairs.Pairs(("load", "small", "joblib"), "0", {"pickle-5": [[1.0]]}, [[0.5]])
    pairs.write(path.with_suffix(".pairs.jsonl"), [old])
    assert collect(results).derived == []


def test_without_scipy_separate_figures_are_shown(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where asv is, scipy need not be: the sentence names it, and no ratio of pairs is told."""
    path = measured(results, [1.0, 2.0, 3.0, 4.0])
    own = pairs.Pairs(("load", "small", "joblib"), "1", {"pickle-5": [[1.0]]}, [[0.5]])
    pairs.write(path.with_suffix(".pairs.jsonl"), [own])
    assert cells(collect(results).figures)["small", "joblib"].paired
    lacking = ModuleNotFoundError("No module named 'scipy'", name="scipy")

    def estimate(*_: object, **__: object) -> None:
        raise lacking

    monkeypatch.setattr(ratios, "estimate", estimate)
    table = collect(results)
    (sentence,) = table.warnings
    assert "because scipy is not installed where asv is" in sentence
    result = cells(table.figures)["small", "joblib"]
    assert not result.paired
    assert result.value is not None


@pytest.mark.parametrize(
    ("outcome", "blame", "says"),
    [
        ("unsupported", "backend", "unsupported: why"),
        ("unsupported", "pipeline", "unsupported (pipeline): why"),
        ("unsupported", "", "unsupported: why"),
        ("not-installed", "machine", "not-installed: why"),
        ("error-at-dump", "backend", "error-at-dump (backend): why"),
        ("error-at-dump", "machine", "error-at-dump (machine): why"),
        ("values-differ", "check", "values-differ (check): why"),
        ("crash", "", "crash: why"),
    ],
)
def test_fault_is_said_where_there_is_one(
    results: Path, outcome: str, blame: str, says: str
) -> None:
    """What a backend does not do, or is not installed, is nobody's fault."""
    path = measured(results, [math.nan, 0.5, 0.5, 0.5])
    facts = {"outcome": outcome, "blame": blame, "reason": "why"}
    record(path, pipeline="small", backend="pickle-5", **facts)
    assert cells(collect(results).figures)["small", "pickle-5"].reason == says
