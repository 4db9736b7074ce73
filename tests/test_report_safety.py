"""What safety trials have found is on the page, attack and accident apart, and nobody is safe."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from persistbench.records import forms, trial
from persistbench.records.collect import collect
from persistbench.records.figures import Table
from persistbench.report import advice, faults
from persistbench.report import page as report
from persistbench.report.sections import accident, attack
from persistbench.report.sections import advice as what_to_do
from persistbench.trials import kinds
from persistbench.trials.base import ATTACK
from tests import _safety_records as made
from tests._browser import ready, watched
from tests._results import claimed, describe, measured, params, tried

NAME = "<script>document.title='taken'</script>"
LOADED = ("skops", "pickle-5")


def text(markup: Any) -> str:
    """Return what a reader sees of HTML without scripts, in one line."""
    without = re.sub(r"<(script|style).*?</\1>", " ", str(markup), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", without)).split())  # also no-break spaces


def tables(markup: Any) -> list[list[str]]:
    """Return the texts of the cells of all rows of all tables."""
    rows = re.findall(r"<tr>(.*?)</tr>", str(markup), re.DOTALL)
    return [[text(c) for c in re.findall(r"<t[hd].*?</t[hd]>", r, re.DOTALL)] for r in rows]


def words(folder: Path, kind: str, section: Any, tell: Any) -> dict[tuple[str, ...], str]:
    """Return the word of each cell of one kind."""
    assert section.render(collect(folder)) is not None
    return {
        (r["subject"], r["backend"], *([r["place"]] if r["place"] else [])): tell(r)[0]
        for r in collect(folder).trials["desk"][kind]
    }


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """All kinds of records, on one machine."""
    return collect(made.everything(tmp_path_factory.mktemp("results")))


@pytest.fixture(scope="module")
def whole_page(table: Table) -> str:
    """The HTML of those."""
    return report.render(table)


def test_sections_are_there_with_their_records_only(tmp_path: Path) -> None:
    """Attack and accident are apart: records of one do not show the other."""
    made.code(tmp_path)
    result = collect(tmp_path)
    assert attack.render(result) is not None
    assert accident.render(result) is None
    assert what_to_do.render(result) is not None


def test_all_synthetic_records_are_of_known_form(table: Table) -> None:
    """The records that these tests are made of have the form that the page wants."""
    assert not table.warnings
    assert set(table.trials["desk"]) == {*forms.ATTACKS, *forms.ACCIDENTS}


def test_page_knows_every_kind_of_safety_trial() -> None:
    """Each kind that is found is shown in the section of its group."""
    for name, kind in kinds.discover().items():
        assert name in (forms.ATTACKS if kind.group == ATTACK else forms.ACCIDENTS)


@pytest.mark.parametrize(
    ("kind", "foreign"),
    [
        ("code", {"marker": "perhaps"}),
        ("code", {"marker": 1}),
        ("code", {"refused": "yes"}),
        ("looking", {"modules": "os"}),
        ("looking", {"imported": -1}),
        ("bombs", {"bytes": True}),
        ("bombs", {"peak": [1]}),
        ("bombs", {"peak": {"load": 2.5}}),
        ("bombs", {"peak": {"load": 10**400}}),
        ("bombs", {"limited": {"outcome": "splendid", "reason": ""}}),
        ("bombs", {"limited": {"outcome": "same"}}),
        ("bombs", {"limit": None}),
        ("scanners", {"place": "marker", "counts": {"harmless": 1}}),
        ("scanners", {"place": "elsewhere"}),
        ("bit-flip", {"counts": {"splendid": 1}, "tried": 1}),
        ("bit-flip", {"counts": {"crash": 2}, "tried": 1}),
        ("truncation", {"counts": {"crash": "two"}, "tried": 2}),
        ("truncation", {"errors": {"EOFError": None}}),
        ("failed-save", {"place": "sideways"}),
        ("failed-save", {"place": "own", "left": "gone"}),
        ("false-success", {"false_success": "no"}),
        ("leaks", {"found": ["artifact"]}),
        ("map-in-use", {"mapped": "yes"}),
        ("read-only-map", {}),
        ("concurrent-use", {"place": "own", "loads": None}),
    ],
)
def test_malformed_records_are_left_out(
    tmp_path: Path, table: Table, kind: str, foreign: dict[str, Any]
) -> None:
    """A record without the facts of its kind is counted as foreign, and the page is made."""
    good = table.trials["desk"][kind][0]
    path = tried(tmp_path, kind, "it", "joblib", **foreign)
    with path.open("a") as file:
        file.write(json.dumps(good) + "\n")
    result, warnings = trial.read(tmp_path)
    assert [r["subject"] for r in result["desk"][kind]] == [good["subject"]]
    (sentence,) = warnings
    assert sentence.startswith(f"{path} has 1 foreign lines, which are left out")
    assert "line 1" in sentence
    assert (attack if kind in forms.ATTACKS else accident).render(collect(tmp_path))


@pytest.mark.parametrize("kind", [*forms.ATTACKS, *forms.ACCIDENTS])
def test_what_was_not_installed_has_no_facts_and_is_not_shown(tmp_path: Path, kind: str) -> None:
    """A record without facts is whole; a backend that is not there was not tried."""
    place = {"place": "own"} if kind in ("failed-save", "concurrent-use") else {"place": "marker"}
    tried(tmp_path, kind, "it", "skops", outcome="not-installed", reason="no", **place)
    result = collect(tmp_path)
    assert not result.warnings
    assert attack.render(result) is None
    assert accident.render(result) is None


@pytest.mark.parametrize("kind", [*forms.ATTACKS, *forms.ACCIDENTS])
def test_what_cannot_be_tried_is_shown_without_facts(tmp_path: Path, kind: str) -> None:
    """A record that says only that nothing could be saved makes a page, too."""
    place = {"place": "own"} if kind in ("failed-save", "concurrent-use") else {"place": "marker"}
    tried(tmp_path, kind, "it", "onnx", outcome="unsupported", reason="no converter", **place)
    result = collect(tmp_path)
    assert not result.warnings
    assert (attack if kind in forms.ATTACKS else accident).render(result) is not None


def test_who_ran_code_is_said_first(table: Table) -> None:
    """Backends are told apart by trust, and what no shape ran is not called safe.

    A list of names for pickle is not among those whose format runs no code.
    """
    shown = text(attack.render(table))
    ran, _, rest = shown.partition("No code ran in any shape that was tried")
    for name in made.PICKLES:
        assert name in ran
        assert f"{name} (" not in rest
    assert "with blind trust in what the file asks for: skops-blind" in ran
    assert "with nothing trusted: skops (5 of 5 shapes)" in rest
    assert "or nobody knows: pickle-5-allowlist (with nothing trusted); pickle-5-allow" in rest
    assert "None of these shapes fits into the file: onnx" in rest
    assert "“Not run by any of these shapes” is not “safe”" in rest


def test_nobody_is_called_safe(whole_page: str) -> None:
    """The word is on the whole page only where it says that something is not."""
    shown = text(whole_page)
    assert re.findall(r".{8}\bsafe\b", shown, re.IGNORECASE) == ["is not “safe"]


def test_what_can_run_code_by_design_is_not_among_the_quiet(tmp_path: Path) -> None:
    """That one shape was inert says nothing for pickle, nor for a backend that nobody knows."""
    for backend in ("pickle-5", "stranger", "skops-blind", "skops"):
        tried(tmp_path, "code", "import", backend, place="no trust", marker="never")
    claimed(tmp_path, "desk", ("pickle-5", "skops-blind", "skops"))
    table = collect(tmp_path)
    _, groups = attack.judged(table.trials["desk"]["code"], table.claims(0))
    assert list(groups["quiet"]["no trust"]) == ["skops"]
    assert sorted(groups["design"]["no trust"]) == ["pickle-5", "skops-blind", "stranger"]


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"marker": "audit"}, "code ran at inspection"),
        ({"marker": "load", "outcome": "crash"}, "code ran at load"),
        ({"marker": "use"}, "code ran at use"),
        ({"marker": "never", "refused": True, "outcome": "error-at-load"}, "refused"),
        ({"marker": "never", "outcome": "error-at-load"}, "no code ran"),
        ({"marker": "never"}, "no code ran"),
        ({"marker": "never", "outcome": "crash"}, "crash"),
        ({"marker": None, "outcome": "unsupported"}, "cannot be carried"),
    ],
)
def test_word_of_a_payload(facts: dict[str, Any], word: str) -> None:
    """A marker is worse than a crash; a refusal is told from a payload that is inert."""
    record = {"outcome": "same", "reason": "", "refused": False} | facts
    assert attack.tell(record)[0] == word


def test_looking_tells_markers_and_imports(table: Table) -> None:
    """How many inspections ran code or imported something, and what."""
    (row,) = [r for r in tables(attack.render(table)) if r[0] == "skops.io.get_untrusted_types"]
    assert row[1:] == ["skops", "0 of 5", "1 of 5", "up to 2: antigravity, this", "same 5"]


def test_bombs_are_sorted_by_their_factor(table: Table) -> None:
    """The worst for its size comes first; what cannot carry it is named apart."""
    shown = attack.render(table)
    first = next(row for row in tables(shown) if row[0] == "zeros")
    assert first[1:] == ["joblib", "2 kB", "", "1 GB", "2 MB", "500,000×", "same", "error-at-load"]
    assert "What the libraries let you limit: the size of a tensor (onnx). Nothing else." in text(
        shown
    )
    assert "zerospickle-5" in text(shown)


def test_scanners_are_counted_and_errors_are_not_clean(table: Table) -> None:
    """Totals first; a marker that is called clean was missed."""
    rows = tables(attack.render(table))
    total = {row[0]: row[2:] for row in rows if row[0].endswith(" 1.0") and row[1] == "all"}
    assert total["fickling 1.0"][:3] == ["0", "40", "0"]
    assert total["picklescan 1.0"] == ["37", "0", "3", "0", "0", "32"]
    assert ["", "joblib-zlib-3", "2", "0", "3", "0", "0", "4"] in rows


def test_list_is_blamed_for_what_it_admits(tmp_path: Path) -> None:
    """Where code ran only by names that a user's list admits, the page names them."""
    own = {"place": "reviewed", "marker": "use", "refused": False}
    tried(tmp_path, "code", "caller", "skops", admitted=["operator.methodcaller"], **own)
    assert "has reviewed and that admits operator.methodcaller: skops" in text(
        attack.render(collect(tmp_path))
    )
    tried(tmp_path, "code", "another", "skops", admitted=[], **own)
    assert "has reviewed: skops" in text(attack.render(collect(tmp_path)))


def test_batches_are_summed(tmp_path: Path) -> None:
    """All batches of a cell count once, those of other versions than the newest not at all."""
    counts = {"values-differ": 3, "labels-differ": 1, "crash": 2, "error-at-load": 4}
    made.batches(tmp_path, "bit-flip", "small", "joblib", counts)
    made.batches(tmp_path, "bit-flip", "forest", "joblib", {"same": 10}, wanted=25)
    old = {"date": "2025-01-01", "place": "500-509", "libraries": {"joblib": "0.1"}}
    made.batches(tmp_path, "bit-flip", "small", "joblib", {"crash": 10}, **old)
    result = faults.of_one_run(collect(tmp_path).trials["desk"]["bit-flip"])
    own = faults.sums(result)["small"]["joblib"]
    assert (own.tried, own.planned, own.counts["crash"]) == (20, 20, 4)
    assert own.share(faults.SILENT)[:2] == (8, 0.4)
    every = faults.sums(result)[faults.EVERY]["joblib"]
    assert (every.tried, every.planned, every.pipelines) == (40, 45, {"small", "forest"})


def test_backends_are_compared_on_the_same_mixture(tmp_path: Path) -> None:
    """Of all pipelines together each backend counts as many batches as the slowest has."""
    for backend in ("joblib", "dill"):
        made.batches(tmp_path, "bit-flip", "small", backend, {"values-differ": 10})
        made.batches(tmp_path, "bit-flip", "forest", backend, {"same": 10})
    tried(
        tmp_path,
        "bit-flip",
        "forest",
        "joblib",
        place="900-909",
        counts={"same": 10},
        errors={},
        silent=[],
        tried=10,
        wanted=20,
        bytes=1,
    )
    result = faults.sums(collect(tmp_path).trials["desk"]["bit-flip"])
    assert result["forest"]["joblib"].tried == 30
    assert {one.tried for one in result[faults.EVERY].values()} == {40}


def test_fewer_faults_than_wanted_are_said(tmp_path: Path) -> None:
    """Beside what was tried stands what was asked for, where that is more."""
    made.batches(tmp_path, "bit-flip", "small", "joblib", {"same": 1000}, wanted=2500)
    made.batches(tmp_path, "bit-flip", "small", "dill", {"crash": 1000})
    result = tables(accident.render(collect(tmp_path)))[:3]  # the heading and two backends
    rows = {row[0]: row[1] for row in result}
    assert rows["joblib"] == "2,000 of 2,500"
    assert rows["dill"] == "2,000"


def test_the_two_figures_say_who_and_how_often(tmp_path: Path) -> None:
    """Silent wrong answers and crashes, with the interval, and of how many none was seen."""
    counts = {"values-differ": 10, "crash": 1, "state-differs": 50, "same": 39}
    made.batches(tmp_path, "bit-flip", "small", "joblib", counts)
    made.batches(tmp_path, "bit-flip", "small", "dill", {"error-at-load": 100})
    made.batches(tmp_path, "truncation", "small", "dill", {"error-at-load": 100})
    shown = text(accident.render(collect(tmp_path)))
    assert "most often with joblib, 20 of 200: 10 % (5.8 % to 17 %)" in shown
    assert "most often with joblib, 2 of 200: 1 % (0.2 % to 5 %)" in shown
    assert shown.count("none seen with dill (of 200)") == 2
    assert shown.count("cut off: none seen with any backend in 200 faults") == 2


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, "0 %"), (1.0, "100 %"), (0.9999, ">99 %"), (0.00042, "0.042 %")]
)
def test_only_all_is_hundred_percent(share: float, shown: str) -> None:
    """A share is not rounded to nothing or to all."""
    assert faults.percent(share).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_what_lies_at_the_path(table: Table, tmp_path: Path) -> None:
    """Own dumps lose the good file and renamed ones do not; litter is counted."""
    shown = text(accident.render(table))
    assert "own: the good file is lost in 43 of 48 saves. never with" not in shown
    assert "own: the good file is lost in 43 of 48 saves." in shown
    assert "renamed: the good file is lost in 0 of 48 saves; 8 other files are left" in shown
    made.saves(tmp_path)
    result = words(tmp_path, "failed-save", accident, accident.left)
    assert result["lock", "joblib", "own"] == "a broken file"
    assert result["lock", "joblib", "renamed"] == "the earlier file"
    assert result["two-savers", "skops", "own"] == "another thing"


def test_words_of_secrets_and_maps(tmp_path: Path) -> None:
    """False successes, leaks and changed files are called so; else the outcome is the word."""
    made.secrets(tmp_path)
    made.maps(tmp_path)
    result = words(tmp_path, "false-success", accident, accident.success)
    assert result["lambda", "skops"] == "false success"
    assert result["lambda", "joblib"] == "error-at-dump"
    result = words(tmp_path, "leaks", accident, accident.leaked)
    assert result["cache", "joblib"] == "in the file"
    assert result["cache", "joblib-zlib-3"] == "in what is loaded"
    assert result["open-file", "joblib"] == "error-at-dump"
    result = words(tmp_path, "map-in-use", accident, accident.mapped)
    assert result["truncated", "joblib", "r"] == "crash"
    assert result["written by use", "joblib", "r+"] == "the file is changed"
    assert result["written by use", "joblib", "c"] == "same"
    assert result["compressed", "joblib", "c"] == "not mapped"


def test_methods_that_fail_on_maps_are_named_with_versions(table: Table) -> None:
    """Crashes come first; the backends of one failure share a row."""
    shown = accident.render(table)
    both = ("ValueError: read-only", "joblib, pickle-5-oob")
    rows = [row for row in tables(shown) if len(row) == 5 and row[2] in ("crash", "error-at-use")]
    assert rows == [
        ["SVC", "partial_fit", "crash", "SIGSEGV", "joblib"],
        ["SVC", "predict", "crash", "SIGSEGV", "joblib"],
        ["MiniBatchKMeans", "partial_fit", "error-at-use", *both],
    ]
    assert "These fail, with Python 3.11.2, scikit-learn 1.9.1:" in text(shown)


def test_loads_during_saves_are_summed(tmp_path: Path) -> None:
    """Pipelines are added up; the worst backend comes first, and those alike share a row."""
    made.loads(tmp_path)
    facts = {"loads": 10, "wrong": 9, "errors": {}, "swaps": 1}
    tried(tmp_path, "concurrent-use", "small", "dill", place="own", **facts)
    rows = tables(accident.render(collect(tmp_path)))[2:]
    assert rows[0] == ["dill", "9", "0", "10 (1)", ""]
    assert rows[1] == ["pickle-5 +7", "6", "80", "8,000 (2,000)", "0", "0", "8,000 (2,000)"]


def test_every_trial_has_a_count_by_backend(table: Table) -> None:
    """One matrix for attacks and one for accidents count what is bad, each of how many."""
    rows = {row[0]: row[1:] for row in tables(attack.render(table))[-7:]}
    assert rows["joblib +2"] == ["5 of 5", "", "1 of 2", "0 of 10"]
    assert rows["skops"] == ["0 of 10", "0 of 5", "1 of 2", "0 of 10"]
    assert rows["skops-blind"] == ["4 of 5", "", "", ""]
    rows = {row[0]: row[1:] for row in tables(accident.render(table))[-8:]}
    assert rows["joblib-zlib-3"][0] == "0 of 400"
    assert rows["skops"][4:10] == ["1 of 6", "0 of 6", "3 of 3", "2 of 2", "", ""]
    assert rows["skops"][10:] == ["86 of 8,000", "0 of 8,000"]
    assert rows["joblib"][8:10] == ["6 of 18", "3 of 6"]


def test_batches_of_an_earlier_version_are_in_no_table(tmp_path: Path) -> None:
    """Only what was made with the versions of the newest batch is counted anywhere."""
    old = {"date": "2025-01-01", "place": "500-509", "libraries": {"joblib": "0.1"}}
    made.batches(tmp_path, "bit-flip", "small", "joblib", {"crash": 10}, **old)
    made.batches(tmp_path, "bit-flip", "small", "joblib", {"same": 10})
    rows = [row for row in tables(accident.render(collect(tmp_path))) if row[0] == "joblib"]
    assert [row[1] for row in rows] == ["20", "20", "0 of 20"]


def test_every_part_links_to_advice_of_the_document(table: Table, whole_page: str) -> None:
    """Each sentence that a part links to is one of docs/safety.md, and is on the page."""
    known = advice.read()
    document = (Path(__file__).parents[1] / "docs" / "safety.md").read_text(encoding="utf-8")
    assert list(known) == re.findall(r'<a id="(\w+)">', document)
    linked = re.findall(r'<a href="#do-(\w+)">(.+?)</a>', whole_page)
    assert {name for name, _ in linked} == set(known)
    for name, sentence in linked:
        assert sentence == known[name].sentence
        assert f'<li id="do-{name}"><strong>{sentence}</strong>' in whole_page
    for section, parts in ((attack, 4), (accident, 7)):
        assert str(section.render(table)).count('class="todo"') == parts
    compile(known["rename"].code, "docs/safety.md", "exec")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of two machines: on the second skops has run code, and names are hostile."""
    folder = tmp_path_factory.mktemp("results")
    grid = params(("small",), LOADED)
    names = ("dump.Dump.time_dump", "load.Load.time_load", "size.Size.track_size")
    describe(folder, names, grid=grid, machines=("desk", "laptop"))
    for machine in ("desk", "laptop"):
        for name in names:
            measured(folder, [1.0, 2.0], name=name, grid=grid, machine=machine)
    made.everything(folder)
    facts: dict[str, Any] = {"machine": "laptop", "reason": NAME, "python": NAME}
    facts |= {"outcome": "error-at-use"}
    for place in ("no trust", "reviewed"):
        tried(folder, "code", NAME, "skops", place=place, marker="load", **facts)
    tried(folder, "code", "listed", "skops", place="reviewed", marker="use")
    tried(folder, "looking", NAME, NAME, place=NAME, marker=True, modules=[NAME], **facts)
    peak = {"bytes": 1, "peak": {"load": 2}, "limit": NAME}
    tried(folder, "bombs", NAME, NAME, **peak, **facts)
    tried(folder, "scanners", NAME, NAME, place="marker", version=NAME, **facts)
    made.batches(folder, "bit-flip", NAME, NAME, {"crash": 1}, errors={NAME: 1}, **facts)
    tried(folder, "failed-save", NAME, NAME, place="own", left="broken", **facts)
    tried(folder, "read-only-map", NAME, NAME, place=NAME, **facts)
    tried(folder, "concurrent-use", NAME, NAME, place="own", errors={NAME: 1}, **facts)
    path = folder / "index.html"
    path.write_text(report.render(collect(folder)), encoding="utf-8")
    return path.as_uri()


def test_chosen_pipeline_is_drawn_and_tabled(page: Page, site: str) -> None:
    """The charts and the table show all pipelines, or the one that is chosen."""
    watch = watched(page)
    ready(page, site)
    drawn = page.locator("[data-chart=silent] svg.marks .mark-symbol [aria-label*=' of ']")
    assert drawn.count() == 2 * len(made.BACKENDS)
    assert "one flipped bit, all pipelines" in page.inner_text("#accident")
    page.select_option("[data-setting=faults]", "forest")
    page.wait_for_function(
        "document.querySelectorAll(\"[data-chart=silent] .mark-symbol [aria-label*=' of ']\")"
        f".length === {2 * len(made.BACKENDS) - 2}"
    )
    assert "one flipped bit, forest" in page.inner_text("#accident")
    assert "all pipelines" not in page.locator("#accident caption:visible").first.inner_text()
    assert not watch.errors


def test_link_leads_to_the_advice(page: Page, site: str) -> None:
    """A click on what to do shows that sentence in its list."""
    ready(page, site)
    page.locator("#attack .todo a").first.click()
    page.wait_for_function(
        "document.getElementById('do-trust').getBoundingClientRect().top < innerHeight"
    )


def test_names_and_reasons_are_text(page: Page, site: str) -> None:
    """HTML in records of every kind is shown, never obeyed."""
    watch = watched(page)
    ready(page, site + "#place=laptop%2Fenv")
    assert NAME in page.inner_text("#attack")
    assert NAME in page.inner_text("#accident")
    page.locator("[data-chart=attack] svg.marks").get_by_text("L", exact=True).first.hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert f"error-at-use: {NAME}" in page.inner_text("#vg-tooltip-element")
    assert "how should I" in page.title()
    assert not watch.errors


def test_decide_leaves_out_what_has_run_code(page: Page, site: str) -> None:
    """Where code of a crafted file has run, the backend is out for untrusted files."""
    ready(page, site)
    page.select_option("[data-setting=trust]", "no")
    row = page.locator("#ranking tbody tr[data-backend=skops]").inner_text()
    assert "code has run with a reviewed list: see Attack" in row
    page.select_option("[data-setting=place]", "laptop/env")
    assert page.locator("#ranking tbody tr").count() == 0
    assert "has run its code here: see Attack" in page.inner_text("#out")


@pytest.mark.parametrize("width", [380, 1280])
def test_safety_fits_the_window(browser: Browser, site: str, width: int) -> None:
    """At no width must the whole page be scrolled sideways."""
    tab = browser.new_page(viewport={"width": width, "height": 800})
    ready(tab, site)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.close()
