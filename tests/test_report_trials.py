"""The newest record of every trial is on the page, and what is none is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from persistbench.records import trial
from persistbench.records.collect import collect
from persistbench.report import page as report
from persistbench.report.sections import exactness, survival
from tests._browser import ready, watched
from tests._results import describe, measured, params, tried

NAME = "<script>document.title='taken'</script>"
REASON = "ValueError: <script>document.title='taken'</script>"
BACKENDS = ("pickle-5", "joblib", "skops", "onnx")
ESTIMATORS = ("AdaBoost", "Ridge", NAME)

CELLS = "document.querySelectorAll('[data-chart=survival] .mark-rect path[aria-label]').length"

GOOD = {"accuracy": 0.9, "precision": 0.9, "recall": 0.9, "F1": 0.9}
BEFORE = GOOD | {"confusion matrix": [[45, 5], [5, 45]]}
AFTER = GOOD | {"accuracy": 0.900001, "confusion matrix": [[45, 5], [6, 44]]}
STEP = {"largest": "coef_", "largest_bytes": 70, "load_seconds": 0.002}
STEPS = [
    STEP | {"step": "scale", "kind": "Scaler", "bytes": 100},
    STEP | {"step": "trees", "kind": "Forest", "bytes": 900},
]


def all_tried(folder: Path, machine: str = "desk") -> None:
    """Write records of all kinds: Ridge comes back everywhere, the last one from nobody's skops."""
    for backend in BACKENDS:
        for estimator in ESTIMATORS:
            facts: dict[str, Any] = {"bytes": 300 if backend == "skops" else 100}
            if backend == "onnx" and estimator == "AdaBoost":
                facts |= {"outcome": "labels-differ", "reason": "2 labels"}
            if backend == "skops":
                facts["untrusted"] = 0
                if estimator == NAME:
                    facts |= {"outcome": "error-at-load", "reason": REASON, "untrusted": 2}
            tried(folder, "survival", estimator, backend, machine=machine, **facts)
        for where in ("present", "absent"):
            false = where == "absent" and backend != "onnx"
            wrong = {"outcome": "error-at-load", "reason": "no module"} if false else {}
            facts = {"place": where, "false_success": false, "machine": machine, **wrong}
            tried(folder, "custom-code", "module-function", backend, **facts)
        sides = {"before": BEFORE, "after": AFTER if backend == "onnx" else BEFORE}
        facts = {"machine": machine, "metrics": {"balanced": sides}, "steps": STEPS}
        if backend == "onnx":
            checks = dict.fromkeys(exactness.CHECKS, "n/a: it is a predictor")
            facts |= {"checks": checks | {"predictions": "far off"}, "outcome": "values-differ"}
        tried(folder, "exactness", "forest", backend, **facts)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with figures of one machine and trials of two."""
    folder = tmp_path_factory.mktemp("results")
    grid = params(("forest",), BACKENDS)
    names = ("dump.Dump.time_dump", "load.Load.time_load", "size.Size.track_size")
    describe(folder, names, grid=grid)
    for name in names:
        measured(folder, [1.0, 2.0, 3.0, 4.0], name=name, grid=grid)
    all_tried(folder)
    tried(folder, "survival", "Ridge", "joblib", machine="laptop", outcome="crash", reason="")
    return written(folder)


def written(folder: Path) -> str:
    """Write the page of a results folder beside it; return its address."""
    path = folder / "index.html"
    path.write_text(report.render(collect(folder)), encoding="utf-8")
    return path.as_uri()


def spoken(page: Page, chart: str) -> list[str]:
    """Return what a heat map says of its cells."""
    result = page.locator(f"[data-chart={chart}] svg.marks .mark-rect path[aria-label]").all()
    return [str(cell.get_attribute("aria-label")) for cell in result]


def test_newest_record_counts(tmp_path: Path) -> None:
    """Of two records of one trial the later date counts, and of two of one date the later line."""
    for outcome, date in (
        ("same", "2026-01-03"),
        ("crash", "2026-01-02"),
        ("timeout", "2026-01-03"),
    ):
        tried(tmp_path, "survival", "Ridge", "joblib", outcome=outcome, date=date)
    tried(tmp_path, "survival", "Ridge", "pickle-5")
    for place in ("present", "absent"):
        tried(tmp_path, "custom-code", "lambda", "joblib", place=place)
    result, warnings = trial.read(tmp_path)
    assert not warnings
    outcomes = {r["backend"]: r["outcome"] for r in result["desk"]["survival"]}
    assert outcomes == {"joblib": "timeout", "pickle-5": "same"}
    assert len(result["desk"]["custom-code"]) == 2


@pytest.mark.parametrize(
    "foreign",
    [
        {"reason": None},
        {"outcome": "splendid"},
        {"bytes": "many"},
        {"bytes": float("nan")},
        {"trial": "custom-code", "place": "elsewhere"},
        {"trial": "exactness", "checks": None},
        {"trial": "exactness", "checks": {}, "metrics": {"rare": 1}, "steps": []},
        {"trial": "exactness", "checks": {}, "metrics": {}, "steps": [{"step": "one"}]},
    ],
)
def test_foreign_lines_are_counted_and_left_out(tmp_path: Path, foreign: dict[str, Any]) -> None:
    """A line without the fields that its trial has is no record; the others are kept."""
    path = tried(tmp_path, "survival", "Ridge", "joblib")
    line = json.loads(path.read_text())
    with path.open("a") as file:
        file.write(json.dumps(line | {"backend": "pickle-5"} | foreign) + "\n")
    result, warnings = trial.read(tmp_path)
    assert [r["backend"] for r in result["desk"]["survival"]] == ["joblib"]
    (sentence,) = warnings
    assert str(path) in sentence
    assert "left out" in sentence
    assert "line 2" in sentence


def test_what_did_not_come_back_has_no_checks(tmp_path: Path) -> None:
    """A record of a pipeline that could not be saved is whole without anything that was checked."""
    path = tried(tmp_path, "exactness", "forest", "onnx", outcome="unsupported", reason="no")
    line = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in line.items() if k not in _PARTS}) + "\n")
    result, warnings = trial.read(tmp_path)
    assert not warnings
    assert exactness.tell(result["desk"]["exactness"][0]) == ("unsupported", "no")


_PARTS = ("checks", "metrics", "steps")


def test_broken_line_is_named(tmp_path: Path) -> None:
    """A file that was cut off says in which line, and the whole lines count."""
    path = tried(tmp_path, "survival", "Ridge", "joblib")
    with path.open("a") as file:
        file.write('{"trial": "surv')
    table = collect(tmp_path)
    assert len(table.trials["desk"]["survival"]) == 1
    assert any("line 2" in sentence for sentence in table.warnings)


def test_backends_alike_share_a_name() -> None:
    """The reference gives its name to a group, or else the shortest; who is alone keeps his own."""
    shown = {"joblib-zlib-1": 1, "joblib": 1, "pickle-5": 2, "dill": 2, "onnx": 3}
    names = trial.named(shown)
    assert names["joblib-zlib-1"] == names["joblib"] == "joblib +1"
    assert names["pickle-5"] == names["dill"] == "pickle-5 +1"
    assert names["onnx"] == "onnx"
    assert trial.members(names)["joblib +1"] == ["joblib", "joblib-zlib-1"]


def test_survivors_are_counted_by_backend(tmp_path: Path) -> None:
    """The best backend comes first; what is not installed is not held against it."""
    all_tried(tmp_path)
    for estimator in ESTIMATORS:
        tried(tmp_path, "survival", estimator, "dill", outcome="not-installed", reason="dill")
    rows = survival.counts(collect(tmp_path).trials["desk"]["survival"])
    assert list(rows) == ["joblib", "pickle-5", "onnx", "skops", "dill"]
    assert (rows["joblib"].same, rows["joblib"].tried, rows["joblib"].size) == (3, 3, 1.0)
    assert (rows["skops"].same, rows["skops"].tried, rows["skops"].size) == (2, 3, 3.0)
    assert sorted(rows["skops"].untrusted) == [0, 0, 2]
    assert rows["dill"].tried == 0


def test_worst_check_is_shown(tmp_path: Path) -> None:
    """Predictions come before attributes; a check that makes no sense is not missed."""
    checks = {"attributes": "gone", "predictions": "far off", "clone": "n/a: a predictor"}
    record = {"outcome": "values-differ", "reason": "", "checks": checks}
    assert exactness.tell(record) == ("predictions", "far off")
    assert exactness.wrong(record).keys() == {"predictions", "attributes"}
    record = {"outcome": "error-at-load", "reason": "no", "checks": checks}
    assert exactness.tell(record) == ("error-at-load", "no")


def test_page_without_figures_shows_the_trials(page: Page, tmp_path: Path) -> None:
    """Trials alone make a page that says how figures are made, and knows where they were tried."""
    all_tried(tmp_path)
    watch = watched(page)
    ready(page, written(tmp_path))
    assert "There are no figures yet: `make bench`" in page.inner_text("main .notice")
    shown = page.eval_on_selector_all("section", "s => s.map(e => e.id)")
    assert shown == ["survival", "custom_code", "exactness", "evidence"]
    assert "scikit-learn 1.9.1" in page.inner_text("#evidence dl")
    assert page.locator("#exact-metrics table").count() > 0
    assert not watch.errors


def test_only_estimators_that_somebody_loses_are_on_the_map(page: Page, site: str) -> None:
    """Ridge comes back from everyone; whoever is searched for is shown alone."""
    ready(page, site)
    result = spoken(page, "survival")
    assert {text.partition(",")[0] for text in result} == {"AdaBoost", NAME}
    assert "AdaBoost, onnx: labels-differ, 2 labels" in result
    page.fill("[data-setting=estimator]", "aDa")
    page.wait_for_function(CELLS + " === 3")
    assert all(text.startswith("AdaBoost") for text in spoken(page, "survival"))


def test_names_and_reasons_are_text(page: Page, site: str) -> None:
    """HTML in names of estimators and in reasons is shown, never obeyed."""
    watch = watched(page)
    ready(page, site)
    page.locator("[data-chart=survival]").get_by_text("L", exact=True).hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert REASON in page.inner_text("#vg-tooltip-element")
    assert "how should I" in page.title()
    assert not watch.errors


def test_false_success_is_called_so(page: Page, site: str) -> None:
    """A dump that succeeds in vain is marked on the map, and the honest are named."""
    ready(page, site)
    result = spoken(page, "custom-code")
    group = "module-function, pickle-5 +2"
    assert f"{group}: false success, error-at-load: no module" in result
    assert f"{group}: same" in result
    assert "Never a false success: onnx." in page.inner_text("#custom_code")


def test_metrics_stand_side_by_side(page: Page, site: str) -> None:
    """Before and after of the chosen backend, with the digits it takes to see a difference."""
    ready(page, site + "#exact=onnx")
    table = page.locator("#exact-metrics table").first
    lines = table.locator(":scope > tbody > tr")
    assert lines.nth(0).inner_text().split() == ["≠", "accuracy", "0.9", "0.900001"]
    assert lines.nth(1).inner_text().split() == ["precision", "0.9", "0.9"]
    assert lines.nth(4).inner_text().split()[:3] == ["≠", "confusion", "matrix"]
    counts = lines.nth(4).locator(".matrix td").all_inner_texts()
    assert list(map(int, counts)) == [45, 5, 5, 45, 45, 5, 6, 44]
    assert "predictions: far off" in page.inner_text("#exact-said")
    page.select_option("[data-setting=exact]", "joblib")
    assert "≠" not in page.inner_text("#exact-metrics")


def test_checks_are_counted(page: Page, site: str) -> None:
    """Each check has a row; what a predictor cannot be asked is n/a."""
    ready(page, site)
    rows = page.locator("#exactness table:visible").first.locator("tbody tr")
    counts = dict(zip(exactness.CHECKS, (r.locator("td") for r in rows.all()), strict=True))
    assert counts["predictions"].all_inner_texts() == ["1 of 1", "0 of 1"]
    assert counts["clone"].all_inner_texts() == ["1 of 1", "n/a"]
    assert counts["deterministic"].all_inner_texts() == ["1 of 1", "n/a"]


def test_heavy_step_is_to_be_saved_apart(page: Page, site: str) -> None:
    """Size, share and load time of each step, and a sentence about the largest."""
    ready(page, site)
    row = page.locator("#exact-steps tbody tr", has_text="trees").inner_text()
    assert row.split("\t") == ["trees", "Forest", "900 B", "90.0 %", "2 ms", "coef_, 70 B"]
    assert "trees (Forest) holds 90% of the bytes" in page.inner_text("#exact-apart")


def test_decide_knows_who_survives(page: Page, site: str) -> None:
    """The ranking says of each backend how many estimators it brings back, never rounded up."""
    ready(page, site)
    shares = {
        row.get_attribute("data-backend"): row.locator("[data-survival]").inner_text()
        for row in page.locator("#ranking tbody tr").all()
    }
    assert shares == {"pickle-5": "100 % of 3", "joblib": "100 % of 3", "skops": "66.6 % of 3"}


def test_trials_of_machines_are_never_mixed(page: Page, site: str) -> None:
    """On the second machine one thing was tried, and only that is shown."""
    ready(page, site + "#place=laptop%2F")
    page.wait_for_function(CELLS + " === 1")
    assert spoken(page, "survival") == ["Ridge, joblib: crash"]
    assert page.locator("#survival caption:visible").inner_text().startswith("1 estimator;")
    assert "was not tried" in page.inner_text("#exact-said")
    assert "persistbench try exactness" in page.inner_text("#exactness .notice:visible")


@pytest.mark.parametrize("width", [380, 1280])
def test_trials_fit_the_window(browser: Browser, site: str, width: int) -> None:
    """At no width must the whole page be scrolled sideways."""
    tab = browser.new_page(viewport={"width": width, "height": 800})
    ready(tab, site)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.close()
