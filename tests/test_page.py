"""The page in a real browser: its numbers can be recalculated, and it asks nobody for anything."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from persistbench.records import pairs
from persistbench.records.collect import collect
from persistbench.records.figures import to_csv
from persistbench.records.questions import COUNTS, STAGES
from persistbench.report import page as report
from tests._browser import ready, watched
from tests._results import N_A, RETURNS, describe, measured, params, record

NAME = "<script>document.title='taken'</script>"
PIPELINES = ("forest", "small", NAME)
BACKENDS = (
    *("pickle-5", "pickle-4", "joblib", "joblib-zlib-3", "cloudpickle", "raw"),
    *("skops", "onnx"),
)
GRID = params(PIPELINES, BACKENDS)
SIZES = params(tuple(f"array-{2**power}MB" for power in range(4)), BACKENDS)
MACHINES = ("desk", "<img src=x onerror=document.title='taken'>")

DUMP = [0.010, 0.0101, 0.02, 0.3, 0.012, 0.004, 0.5, 0.6]
LOAD = [0.008, 0.009, 0.03, 0.1, 0.0085, 0.003, 0.4, 0.02]
SIZE = [20e6, 20.1e6, 21e6, 2e6, 20e6, 20e6, 40e6, 5e6]
MAP = [N_A, N_A, 0.001, N_A, N_A, 0.0001, N_A, N_A]
FIRST = [N_A, N_A, 0.05, N_A, N_A, N_A, N_A, N_A]


def scaled(values: list[float], by: float) -> list[float]:
    """Return the values of all pipelines; the last one has none but cloudpickle's."""
    lonely = [v if backend == "cloudpickle" else N_A for v, backend in zip(values, BACKENDS)]  # noqa: B905
    return [*(v * by for v in values), *(v * by / 1000 for v in values), *lonely]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two machines, of which the second is twice as slow."""
    folder = tmp_path_factory.mktemp("results")
    questions = {
        "dump.Dump.time_dump": DUMP,
        "load.Load.time_load": LOAD,
        "size.Size.track_size": SIZE,
        "mmap.Map.time_map": MAP,
        "mmap.MapFirst.time_map_first_predict": FIRST,
        "mmap.LoadFirst.time_load_first_predict": [v * 2 for v in LOAD],
        "cold.LoadCold.time_load_cold": [v * 3 for v in LOAD],
        "memory.PeakLoad.track_peak_load": [v * 2 for v in SIZE],
        "memory.PeakDump.track_peak_dump": [0.0, 0.0, 1e6, 2e6, 0.0, 0.0, 0.0, 0.0],
        "fresh.Modules.track_fresh_modules": [500.0] * len(BACKENDS),
        **{f"fresh.S.time_fresh_{stage}": [v * 5 for v in LOAD] for stage in STAGES},
        **{f"workers.W.track_workers_{n}_pss": [v * n for v in SIZE] for n in COUNTS},
        "workers.W.track_workers_8_uss": [v * 8 for v in SIZE],
        "workers.W.track_workers_8_rss": [v * 9 for v in SIZE],
    }
    sizes = {f"scaling.S.time_scale_{direction}": SIZES for direction in ("dump", "load")}
    describe(folder, tuple(questions), machines=MACHINES, grid=GRID, others=sizes)
    for number, machine in enumerate(MACHINES, start=1):
        for name, values in questions.items():
            path = measured(folder, scaled(values, number), name=name, machine=machine, grid=GRID)
        for name in sizes:
            values = [2**power * v * number for power in range(4) for v in LOAD]
            measured(folder, values, name=name, machine=machine, grid=SIZES)
        for backend in BACKENDS:
            record(path, pipeline=NAME, backend=backend, reason="<b>no</b> <script>x</script>")
            if backend not in ("joblib", "raw"):
                for pipeline in PIPELINES:
                    facts = {"pipeline": pipeline, "backend": backend, "access": "map"}
                    record(path, **facts, reason=f"{backend} has no memory mapping")
    return folder


@pytest.fixture(scope="module")
def site(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page and the table that it was made from."""
    folder = tmp_path_factory.mktemp("site")
    table = collect(results)
    (folder / "index.html").write_text(report.render(table), encoding="utf-8")
    (folder / "figures.csv").write_text(to_csv(table.figures), encoding="utf-8")
    return folder


def address(site: Path) -> str:
    """Return a link to the page that shows one pipeline."""
    return (site / "index.html").as_uri() + "#place=desk/env&pipeline=forest"


def ranking(page: Page) -> list[tuple[str, float]]:
    """Return what the section Decide shows: backends and their totals, best first."""
    rows = page.locator("#ranking tbody tr").all()
    return [
        (
            str(row.get_attribute("data-backend")),
            float(str(row.locator("[data-seconds]").get_attribute("data-seconds"))),
        )
        for row in rows
    ]


def cells(page: Page) -> list[str]:
    """Return what the grid says of each of its cells."""
    page.evaluate("persistbench.settled()")  # charts are drawn after the event
    result = page.locator("[data-chart=grid] svg.marks .mark-rect path[aria-label]").all()
    return [str(cell.get_attribute("aria-label")) for cell in result]


def steady(figures: dict[str, float], question: str, reference: dict[str, float]) -> float:
    """Return the reference's figure times the paired ratio, or else the own figure."""
    times = figures.get(f"{question}/pickle-5")
    return figures[question] if times is None else reference[question] * times


def recalculated(
    site: Path,
    *,
    machine: str = "desk",
    pipeline: str = "forest",
    load: str = "load",
    out: tuple[str, ...] = ("onnx",),
    **work: float,
) -> list[tuple[str, float]]:
    """Return the ranking by total cost, calculated from figures.csv alone."""
    result: dict[str, dict[str, float]] = {}
    with (site / "figures.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if (row["machine"], row["pipeline"]) == (machine, pipeline) and row["status"] == "ok":
                result.setdefault(row["backend"], {})[row["question"]] = float(row["value"])
    loads = work.get("loads", 10) * work.get("workers", 1)
    bandwidth = work.get("bandwidth", 125) * 1e6
    totals = []
    for backend, figures in result.items():
        if backend in ("raw", *out) or not {"dump", "size", load} <= figures.keys():
            continue
        transfer = figures["size"] / bandwidth if bandwidth else 0
        reference = result.get("pickle-5", {})
        dump, once = (steady(figures, question, reference) for question in ("dump", load))
        totals.append((backend, dump + transfer + loads * (transfer + once)))
    return sorted(totals, key=lambda pair: pair[1])


def close(shown: list[tuple[str, float]], expected: list[tuple[str, float]]) -> bool:
    """Return whether two rankings are the same."""
    return [name for name, _ in shown] == [name for name, _ in expected] and all(
        value == pytest.approx(other, rel=1e-6)
        for (_, value), (_, other) in zip(shown, expected, strict=True)
    )


def test_page_opens_from_a_disk_without_a_network(page: Page, site: Path) -> None:
    """No request leaves the file, and nothing is said in the console."""
    watch = watched(page)
    ready(page, address(site))
    page.wait_for_selector("#figures tbody tr")
    assert watch.requests == [(site / "index.html").as_uri()]
    assert not watch.errors
    for section in (
        *("answer", "decide", "tradeoffs", "grid", "mmap", "fresh", "scaling", "cold"),
        *("workers", "memory", "evidence"),
    ):
        assert page.locator(f"section#{section} h2").is_visible()
    drawn = page.locator(".canvas svg.marks").count()
    assert drawn == page.locator("[data-chart]").count() == 11


def test_lines_of_the_chosen_kind_are_shown(page: Page, site: Path) -> None:
    """What grows is chosen; its curves and its table follow, and no other pipeline is offered."""
    ready(page, address(site))
    assert page.locator("select[data-setting=pipeline] option").count() == len(PIPELINES)
    assert not {"scale_load", "scale_dump"} & set(
        page.locator("select[data-setting=question] option").all_inner_texts()
    )
    shown = page.locator("#scaling table:visible")
    assert shown.count() == 1
    # 8 ms for 1 MB, and twice that for twice the size: all slope, and nothing fixed.
    first = shown.locator("tr", has=page.locator("code", has_text="pickle-5"))
    assert first.locator("td").all_inner_texts()[:4] == ["0 µs", "8 ms", "0 %", "8 MB"]
    dots = page.locator("[data-chart=scaling] svg.marks .mark-symbol.role-mark path")
    assert dots.count() == 4 * len(BACKENDS)
    page.select_option("select[data-setting=scaling]", "load-objects")
    assert "No backend" in shown.inner_text()
    page.wait_for_function(
        "!document.querySelector('[data-chart=scaling] .mark-symbol.role-mark path')"
    )


def test_front_and_notes_are_those_of_the_table(page: Page, site: Path) -> None:
    """Who is on the front, and who dominates whom, follows from medians alone."""
    ready(page, address(site))
    result: dict[str, dict[str, float]] = {}
    with (site / "figures.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if (row["machine"], row["pipeline"], row["status"]) == ("desk", "forest", "ok"):
                result.setdefault(row["backend"], {})[row["question"]] = float(row["value"])
    result = {name: own for name, own in result.items() if name not in RETURNS}
    for across, up in (("size", "load"), ("dump", "load")):
        marks = page.locator(f"[data-chart={across}-{up}] svg.marks .mark-symbol path[aria-label]")
        spoken = [str(mark.get_attribute("aria-label")) for mark in marks.all()]
        for name, own in result.items():
            better = {
                other
                for other, its in result.items()
                if its[across] <= own[across]
                and its[up] <= own[up]
                and (its[across], its[up]) != (own[across], own[up])
            }
            (text,) = [line for line in spoken if line.startswith(f"{name}: ")]
            assert ("on the front" in text) == (not better)
            assert not better or any(other in text.split(", ", 2)[2] for other in better)


def test_map_is_compared_with_load(page: Page, site: Path) -> None:
    """The table of the maps shows both times, and the map's over the load's."""
    ready(page, address(site))
    row = page.locator("#mmap div:visible tbody tr", has_text="forest")
    assert row.inner_text().split("\t")[:5] == ["forest", "joblib", "30 ms", "1 ms", "0.033×"]


def test_earlier_link_to_the_maps_leads_to_them(page: Page, site: Path) -> None:
    """A link that names the section by its earlier name is not dead."""
    ready(page, (site / "index.html").as_uri() + "#mapping")
    expect(page.locator("section#mmap h2 ~ #mapping")).to_be_in_viewport()


def test_page_is_small_enough(site: Path) -> None:
    """With all its libraries inside it is under 4 MB."""
    assert (site / "index.html").stat().st_size < 4e6


def test_page_of_the_committed_results_is_small_enough() -> None:
    """What is published from this checkout is under 4 MB, too."""
    table = collect(Path(__file__).parents[1] / "results")
    assert table.figures
    assert len(report.render(table).encode()) < 4e6


def test_charts_are_drawn_when_they_come_into_view(page: Page, site: Path) -> None:
    """The first are there when the page is ready, others near the window, all before printing."""
    page.goto(address(site))
    page.wait_for_selector("html[data-ready]")
    drawn, all_charts = page.locator(".canvas svg.marks"), page.locator("[data-chart]")
    assert 0 < drawn.count() < all_charts.count()
    last = page.locator("[data-chart=samples]")
    assert last.locator("svg.marks").count() == 0
    last.scroll_into_view_if_needed()
    last.locator("svg.marks").wait_for()
    assert drawn.count() < all_charts.count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert drawn.count() == all_charts.count()


def test_totals_are_those_of_paired_calls(page: Page, tmp_path: Path) -> None:
    """Where calls were paired with pickle-5, Decide takes their ratio, not the medians'."""
    grid = params(("forest",), ("pickle-5", "joblib"))
    names = ("dump.Dump.time_dump", "load.Load.time_load", "size.Size.track_size")
    describe(tmp_path, names, grid=grid)
    for name, values in zip(names, ([1.0, 1.0], [1.0, 9.0], [8.0, 8.0]), strict=True):
        path = measured(tmp_path, values, name=name, grid=grid)
    paired = [
        pairs.Pairs(("load", "forest", backend), "1", {"pickle-5": [[by] * 6] * 3}, [[0.5]])
        for backend, by in (("pickle-5", 1.0), ("joblib", 2.0))
    ]
    pairs.write(path.with_suffix(".pairs.jsonl"), paired)
    site = tmp_path / "index.html"
    site.write_text(report.render(collect(tmp_path)), encoding="utf-8")
    ready(page, site.as_uri() + "#loads=1&bandwidth=0")
    assert close(ranking(page), [("pickle-5", 2.0), ("joblib", 3.0)])


def test_ranking_is_the_one_of_the_table(page: Page, site: Path) -> None:
    """Before and after every control is moved, the page ranks as the table says."""
    ready(page, address(site))
    assert close(ranking(page), recalculated(site))
    work: dict[str, float] = {}
    for control, value in (("loads", 1000), ("bandwidth", 10), ("workers", 4), ("bandwidth", 0)):
        page.fill(f"[data-setting={control}]", str(value))
        work[control] = value
        assert close(ranking(page), recalculated(site, **work))
    page.select_option("[data-setting=pipeline]", "small")
    assert close(ranking(page), recalculated(site, pipeline="small", **work))
    page.select_option("[data-setting=place]", f"{MACHINES[1]}/env")
    expected = recalculated(site, machine=MACHINES[1], pipeline="small", **work)
    assert close(ranking(page), expected)


def test_questions_put_backends_out_with_a_reason(page: Page, site: Path) -> None:
    """Each of the four questions says of every backend that it puts out why."""
    ready(page, address(site))

    def out() -> dict[str, str]:
        names = page.locator("#out dt").all_inner_texts()
        reasons = page.locator("#out dd").all_inner_texts()
        both = zip(names, reasons, strict=True)
        return {name: reason for group, reason in both for name in group.split(", ")}

    assert out().keys() == {"onnx"}
    assert "a predictor" in out()["onnx"]
    page.select_option("[data-setting=shared]", "yes")
    assert close(ranking(page), recalculated(site, load="map_first_predict"))
    assert "pickle-5 has no memory mapping" in out()["pickle-5"]
    page.select_option("[data-setting=shared]", "no")
    page.select_option("[data-setting=custom]", "yes")
    assert [name for name, _ in ranking(page)] == ["cloudpickle"]
    assert "by name" in out()["joblib"]
    page.select_option("[data-setting=custom]", "no")
    page.select_option("[data-setting=trust]", "no")
    assert [name for name, _ in ranking(page)] == ["skops"]
    assert "on your list" in page.inner_text("#ranking tbody")
    assert out().keys() == set(BACKENDS) - {"raw", "skops"}
    assert all("runs whatever code" in out()[name] for name in out().keys() - {"onnx"})
    page.select_option("[data-setting=need]", "predictions")
    assert [name for name, _ in ranking(page)] == ["onnx", "skops"]
    assert "not bit for bit" in page.inner_text("#ranking tbody tr[data-backend=onnx]")
    page.select_option("[data-setting=custom]", "yes")
    assert ranking(page) == []
    assert "No backend measured here" in page.inner_text("#verdict")


def test_what_is_undecided_is_shown_as_such(page: Page, site: Path) -> None:
    """Figures 1 % apart with intervals of over 1 % are undecided in ranking, grid and answer."""
    ready(page, address(site) + "&bandwidth=0&loads=0")
    ranks = page.locator("#ranking tbody td:first-child").all_inner_texts()
    assert ranks[:2] == ["1", "?2"]
    page.select_option("[data-setting=question]", "dump")
    page.evaluate("persistbench.settled()")
    assert "?1.01" in page.locator("[data-chart=grid] svg.marks text").all_text_contents()
    row = page.locator("#answer div:visible tr", has=page.locator("th", has_text="forest"))
    assert "equal or undecided: " in row.locator("[data-heading='fastest dump']").inner_text()


def test_link_reopens_the_same_view(page: Page, site: Path, browser: Browser) -> None:
    """The settings live in the address, those of the controls and those of the charts."""
    ready(page, address(site))
    page.select_option("[data-setting=pipeline]", NAME)
    page.select_option("[data-setting=place]", f"{MACHINES[1]}/env")
    page.select_option("[data-setting=relative]", "raw")
    page.fill("[data-setting=loads]", "77")
    link = page.locator("#link").evaluate("a => a.href")
    other = ready(browser.new_page(), link)
    values = "c => c.map(e => [e.dataset.setting, e.value])"
    shown = [tab.eval_on_selector_all("[data-setting]", values) for tab in (page, other)]
    assert shown[0] == shown[1]
    assert dict(shown[1])["loads"] == "77"
    assert ranking(other) == ranking(page)
    assert cells(other) == cells(page) != []
    assert page.url.split("#")[1] == link.split("#")[1].removeprefix("decide&")
    other.close()


def test_link_to_what_is_not_there_says_so(page: Page, site: Path) -> None:
    """A pipeline of other results or a nonsense number is named, and the rest is shown."""
    ready(page, address(site) + "&pipeline=other&loads=-3&workers=2&%=1")
    notice = page.inner_text("#notice")
    assert "pipeline=other" in notice
    assert "loads=-3" in notice
    assert page.input_value("[data-setting=workers]") == "2"
    assert close(ranking(page), recalculated(site, workers=2))


def test_names_from_outside_are_text(page: Page, site: Path) -> None:
    """HTML in names of pipelines and machines and in exceptions is shown, never obeyed."""
    watch = watched(page)
    ready(page, (site / "index.html").as_uri() + f"#pipeline={NAME}")
    page.select_option("[data-setting=place]", f"{MACHINES[1]}/env")
    page.locator("#filters select").nth(1).select_option(NAME)
    assert "<b>no</b> <script>" in page.inner_text("#figures tbody")
    page.locator("[data-chart=grid] svg.marks .mark-text text", has_text="n/a").first.hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert NAME in page.inner_text("#vg-tooltip-element")
    assert "how should I" in page.title()
    assert not watch.errors


def test_machines_are_never_mixed(page: Page, site: Path) -> None:
    """Whatever section is looked at, only figures of the chosen machine are on it."""
    ready(page, address(site))
    places = page.eval_on_selector_all("[data-setting=place] option", "o => o.map(e => e.value)")
    for place, address_of_place in enumerate(places):
        load = "8 ms" if address_of_place == "desk/env" else "16 ms"
        page.select_option("[data-setting=place]", address_of_place)
        for part in page.locator("[data-place]").all():
            assert part.is_visible() == (part.get_attribute("data-place") == str(place))
        page.locator("#filters select").nth(0).select_option("load")
        page.locator("#filters select").nth(1).select_option("forest")
        first = page.locator("#figures tbody tr", has_text="pickle-5").first.inner_text()
        assert f"\t{load}\t" in first
        assert len(cells(page)) == len(PIPELINES) * len(BACKENDS)
        assert f"forest, pickle-5: {load}" in " ".join(cells(page))


@pytest.mark.parametrize("width", [380, 800, 1280])
def test_page_fits_its_window(browser: Browser, site: Path, width: int) -> None:
    """At no width must the whole page be scrolled sideways, in light and in dark."""
    for scheme in ("light", "dark"):
        tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        ready(tab, address(site))
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        tab.close()


def test_controls_are_reached_by_the_keyboard(page: Page, site: Path) -> None:
    """Tab reaches every control and every scrollable chart in the order of the page."""
    ready(page, address(site))
    reached: list[Any] = []
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.setting ?? ''"))
    names = page.eval_on_selector_all("[data-setting]", "c => c.map(e => e.dataset.setting)")
    assert [name for name in dict.fromkeys(reached) if name] == names


def test_one_sample_has_no_interval(page: Page, tmp_path: Path) -> None:
    """After a run with one call each the page is whole, and says that nothing is known."""
    describe(tmp_path, grid=GRID)
    file = measured(tmp_path, scaled(LOAD, 1), grid=GRID)
    stored = json.loads(file.read_text())
    name, columns = "load.Load.time_load", stored["result_columns"]
    for column, end in (("stats_ci_99_a", -math.inf), ("stats_ci_99_b", math.inf)):
        at = columns.index(column)
        stored["results"][name][at] = [
            None if value is None else end for value in stored["results"][name][at]
        ]
    file.write_text(json.dumps(stored))
    table = collect(tmp_path)
    assert all(figure.high is None for figure in table.figures)
    path = tmp_path / "index.html"
    path.write_text(report.render(table), encoding="utf-8")
    ready(page, path.as_uri())
    assert "equal or undecided: " not in page.inner_text("#answer")


def test_no_figures_is_one_sentence(page: Page, tmp_path: Path) -> None:
    """Before the first run the page says which command makes figures, and nothing else."""
    path = tmp_path / "index.html"
    path.write_text(report.render(collect(tmp_path)), encoding="utf-8")
    watch = watched(page)
    page.goto(path.as_uri())
    assert page.inner_text("main") == "There are no figures yet: `make bench` measures them."
    assert not watch.errors


def test_section_without_records_is_not_shown(page: Page, tmp_path: Path) -> None:
    """Results without memory maps have no section about them."""
    describe(tmp_path, ("load.Load.time_load",), grid=GRID)
    measured(tmp_path, scaled(LOAD, 1), grid=GRID)
    path = tmp_path / "index.html"
    path.write_text(report.render(collect(tmp_path)), encoding="utf-8")
    ready(page, path.as_uri())
    shown = page.eval_on_selector_all("section", "s => s.map(e => e.id)")
    assert "mmap" not in shown
    assert not {"survival", "custom_code", "exactness"} & set(shown)
    assert "tradeoffs" not in shown
    assert "grid" in shown
