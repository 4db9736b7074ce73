"""What backends and pipelines said of themselves is recorded when something is made with them."""

from pathlib import Path

import pytest
from msgspec import structs
from playwright.sync_api import Page

from persistbench import backends
from persistbench.cases import catalogue, scaled
from persistbench.cells import claims
from persistbench.cells.cell import Cell
from persistbench.records import about, run
from persistbench.records.collect import collect
from persistbench.report import page as report
from persistbench.report.compare import best, ranked
from tests import _campaign
from tests._browser import ready
from tests._results import NAMES, claimed, describe, measured, params

PICKLE = claims.of_backend(backends.get("pickle-5"))
QUESTIONS = ("dump.Dump.time_dump", "load.Load.time_load", "size.Size.track_size")


def test_only_what_is_new_is_recorded(tmp_path: Path) -> None:
    """Thousands of processes leave one line for a claim, and another line when it changes."""
    for _ in range(3):
        about.keep(tmp_path, [PICKLE])
    about.keep(tmp_path, [structs.replace(PICKLE, executes_code=False)])
    assert len((tmp_path / about.FILE).read_text().splitlines()) == 2
    result, broken = about.read(tmp_path)
    assert not broken
    assert not result.backends["pickle-5"].executes_code
    assert result.backends["pickle-5"].date.startswith("20")


def test_claim_that_comes_back_is_recorded_again(tmp_path: Path) -> None:
    """The newest line of a backend is what it said last."""
    other = structs.replace(PICKLE, audits=True)
    for subject in (PICKLE, other, PICKLE):
        about.keep(tmp_path, [subject])
    assert len((tmp_path / about.FILE).read_text().splitlines()) == 3
    assert not about.read(tmp_path)[0].backends["pickle-5"].audits


def test_everything_that_a_backend_claims_is_recorded() -> None:
    """Each claim of the contract has a field, and each field has the backend's own value."""
    for backend in backends.for_trials().values():
        record = structs.asdict(claims.of_backend(backend))
        said = {name: getattr(backend.claims, name) for name in vars(backend.claims)}
        assert record.items() >= said.items()
        assert record["id"] == backend.id
        assert record["requires"] == backend.requires


def test_foreign_claims_are_named(tmp_path: Path) -> None:
    """A line of another kind is left out; the others are read."""
    about.keep(tmp_path, [PICKLE])
    with (tmp_path / about.FILE).open("a") as file:
        file.write(
            '{"about": "backend", "id": "x", "returns": "money"}\n{"about": "weather"}\n{"ab'
        )
    result, broken = about.read(tmp_path)
    assert list(result.backends) == ["pickle-5"]
    assert any("2 foreign lines" in sentence for sentence in broken)
    assert any("line 4" in sentence for sentence in broken)


def test_cell_of_a_run_leaves_its_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lie in the folder of the machine, beside the outcomes; outside a run there are none."""
    monkeypatch.delenv(run.VARIABLE, raising=False)
    cells = [
        Cell(catalogue.get("small"), backends.get("joblib")),
        Cell(scaled.pipelines()["array-1MB"], backends.get("onnx")),
    ]
    claims.keep(cells[0])
    folder = run.begin(tmp_path / "desk" / "a.outcomes.jsonl", "0.6.6")
    monkeypatch.setenv(run.VARIABLE, str(folder))
    for cell in cells:
        claims.keep(cell)
    result, _ = about.read(tmp_path / "desk")
    assert set(result.backends) == {"joblib", "onnx"}
    assert result.backends["onnx"].returns == "predictor"
    assert result.pipelines["small"].stresses == catalogue.get("small").stresses
    assert [path.name for path in tmp_path.iterdir()] == ["desk"]


def test_campaign_leaves_the_claims_of_its_backends(tmp_path: Path) -> None:
    """They lie in the machine's folder, above its trials."""
    assert _campaign.run(tmp_path / "desk" / "trials" / "nap.jsonl", 1) == []
    assert set(about.read(tmp_path / "desk")[0].backends) == {"pickle-4", "pickle-5"}
    claims.keep_tried(tmp_path / "desk" / "trials" / "nap.jsonl", ["skops"], ["small", "Ridge"])
    result, _ = about.read(tmp_path / "desk")
    assert "skops" in result.backends
    assert list(result.pipelines) == ["small"]


def fast(folder: Path, backend: str) -> Path:
    """Write figures of which this backend's are the best; return the folder."""
    grid = params(("forest",), ("pickle-5", "joblib", backend))
    describe(folder, QUESTIONS, grid=grid)
    (folder / "desk" / about.FILE).unlink()
    claimed(folder, "desk", ("pickle-5", "joblib"))
    for name in QUESTIONS:
        measured(folder, [2.0, 3.0, 1.0], name=name, grid=grid)
    return folder


def test_predictor_that_this_checkout_lacks_is_no_contender(tmp_path: Path) -> None:
    """What a backend gave back when it was measured decides, wherever its file is now."""
    claimed(fast(tmp_path, "newcomer"), "desk", ["newcomer"], returns="predictor")
    table = collect(tmp_path)
    assert not table.warnings
    loads = [figure for figure in table.figures if figure.question == "load"]
    ranks = {figure.backend: rank for rank, figure in ranked(loads)}
    assert ranks == {"newcomer": "predictor", "pickle-5": "1", "joblib": "2"}
    winner = best(loads)
    assert winner is not None
    assert winner.backend == "pickle-5"


def test_what_was_measured_counts_and_not_the_checkout(tmp_path: Path) -> None:
    """A backend that has gone back on its claim is ranked by the claim of its figures."""
    claimed(fast(tmp_path, "onnx"), "desk", ["onnx"], returns="estimator")
    loads = [figure for figure in collect(tmp_path).figures if figure.question == "load"]
    assert {figure.backend: rank for rank, figure in ranked(loads)}["onnx"] == "1"


def test_claims_of_one_machine_say_nothing_of_another(tmp_path: Path) -> None:
    """Another machine may have measured another version of a backend."""
    claimed(fast(tmp_path, "newcomer"), "laptop", ["newcomer"])
    loads = [figure for figure in collect(tmp_path).figures if figure.question == "load"]
    assert {figure.backend: rank for rank, figure in ranked(loads)}["newcomer"] == "unknown"


def test_backend_without_a_record_is_shown_and_not_ranked(page: Page, tmp_path: Path) -> None:
    """The page says so in its warnings, and where it decides; the figures stand in its tables."""
    table = collect(fast(tmp_path, "newcomer"))
    (sentence,) = table.warnings
    assert sentence.startswith("desk: no record says what newcomer can do")
    path = tmp_path / "index.html"
    path.write_text(report.render(table), encoding="utf-8")
    ready(page, path.as_uri())
    assert sentence in page.inner_text("main")
    shown = page.locator("#ranking tbody tr").evaluate_all(
        "rows => rows.map(r => r.dataset.backend)"
    )
    assert shown == ["pickle-5", "joblib"]
    assert "no record says what it claims" in page.inner_text("#out")
    assert "newcomer" in page.inner_text("#out")
    assert "newcomer" not in page.inner_text("#answer")
    assert "newcomer" in page.inner_text("#figures")


def test_page_says_what_pipelines_stressed_when_measured(tmp_path: Path) -> None:
    """A pipeline whose file this checkout lacks is still explained."""
    grid = params(("gone",), ("pickle-5", "joblib"))
    describe(tmp_path, NAMES[:1], grid=grid)
    measured(tmp_path, [1.0, 2.0], grid=grid)
    about.keep(tmp_path / "desk", [about.Pipeline(name="gone", stresses="a thing of the past")])
    assert "a thing of the past" in report.render(collect(tmp_path))
