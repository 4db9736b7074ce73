"""What the documents say holds."""

import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cogapp import Cog

from persistbench import backends
from persistbench.errors import UserError
from persistbench.report import compare
from persistbench.report.documents.results import holds, ratio_text, reference
from tests._results import describe, measured, params

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_readme_is_short() -> None:
    """The README has at most 120 lines."""
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_exist(document: Path) -> None:
    """Every `make` command in a document is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z]+)", document.read_text(encoding="utf-8"), re.M):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_exist(document: Path) -> None:
    """Every path of the project in a document is there."""
    text = document.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:persistbench|benchmarks|pipelines|docs|tests)/[\w/.]*)`", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link in a document names a file of the repository."""
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
        assert target.startswith("https:") or (document.parent / target).exists(), target


def test_contributing_names_every_room() -> None:
    """The rooms are those of import-linter's contract, from the ground up."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE)
    listed = [room for row in rows for room in re.findall(r"`(\w+)`", row)]
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [layer.split(" | ") for layer in reversed(linter["contracts"][0]["layers"])]
    assert sorted(listed) == sorted(room for layer in layers for room in layer)
    heights = {room: height for height, layer in enumerate(layers) for room in layer}
    for room, above in itertools.combinations(reversed(listed), 2):
        assert heights[room] >= heights[above]


IN_THE_GRID = {"audit", "dump", "label_changes", "load", "size"}
NAMED_OTHERWISE = {"safety": {"attack", "accident"}}
OF_SEVERAL = {"advice", "answer", "decide", "evidence", "grid", "tradeoffs"}


def test_question_has_one_file_name_at_every_stage() -> None:
    """A question and its section have one name; CONTRIBUTING names the exceptions."""
    questions = {path.stem for path in _tracked("benchmarks/[a-z]*.py")}
    trials = {path.stem for path in _tracked("persistbench/trials/[a-z]*.py")}
    sections = {path.stem for path in _tracked("persistbench/report/sections/[a-z]*.py")}
    assert IN_THE_GRID | NAMED_OTHERWISE.keys() <= questions
    assert questions - IN_THE_GRID - NAMED_OTHERWISE.keys() <= sections
    others = OF_SEVERAL.union(*NAMED_OTHERWISE.values())
    assert sections - others <= questions | trials
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in IN_THE_GRID | NAMED_OTHERWISE.keys() | (OF_SEVERAL - {"grid"}):
        assert f"`{name}`" in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_figures_are_those_of_the_records(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures in a document are those of the reference results; `make pictures` prints them."""
    monkeypatch.chdir(ROOT)
    assert Cog().main(["cog", "--check", str(document)]) == 0


def test_readme_and_safety_have_figures_of_the_records() -> None:
    """Both documents print them: no block has been lost."""
    for name, call in (
        ("README.md", "documents.readme()"),
        ("docs/safety.md", "documents.safety()"),
    ):
        assert call in (ROOT / name).read_text(encoding="utf-8")


def test_figure_that_is_not_of_the_records_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A figure that somebody has changed by hand fails the check."""
    monkeypatch.chdir(ROOT)
    changed = tmp_path / "README.md"
    changed.write_text(re.sub(r"(\| `text` \| )\d", r"\g<1>9", README), encoding="utf-8")
    assert changed.read_text(encoding="utf-8") != README
    assert Cog().main(["cog", "--check", str(changed)]) == CHECK_FAILED


CHECK_FAILED = 5
"""cogapp's exit status when a file is not what its blocks print."""


def test_sentence_that_the_records_contradict_is_not_printed() -> None:
    """A sentence holds, or is an error that names it."""
    assert holds(True, "It holds.") == "It holds."
    with pytest.raises(UserError, match="It does not hold"):
        holds(False, "It does not hold.")


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (1.2, 1.3, "1.2×"),
        (0.985, 1.015, "=1.00×"),
        (0.9, 1.1, "0.99× ± 11 %"),
        (0.97, 1.01, "0.99× ± 3 %"),
        (0.0, 1.1, "0× undecided"),
    ],
)
def test_ratio_is_shown_as_different_equal_or_undecided(
    low: float, high: float, shown: str
) -> None:
    """Equal: the interval lies inside ± 2 %. Undecided: it holds 1 and is wider."""
    middle = (low * high) ** 0.5
    assert ratio_text(compare.Ratio(middle, low, high)) == shown


def test_readme_names_every_committed_pipeline() -> None:
    """No pipeline of the project is missing from the README's list."""
    for path in _tracked("pipelines/[a-z]*.py"):
        assert f"`{path.stem}`" in README


def test_readme_counts_the_committed_backends() -> None:
    """The number of backends that the README tells is that of the project's own files."""
    (count,) = re.findall(r"(\d+)\s+backends", README)
    own = {path.stem for path in _tracked("persistbench/backends/[a-z]*.py")}
    result = [
        backend
        for backend in backends.discover().values()
        if type(backend).__module__.split(".")[-1] in own
    ]
    assert int(count) == len(result)


def _tracked(pattern: str) -> list[Path]:
    """Return the files that git knows: what is dropped in for a trial is not documented."""
    listed = subprocess.run(
        ["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [Path(name) for name in listed.stdout.split()]


def test_ci_runs_the_readme_test_command() -> None:
    """CI and README call the same command."""
    assert "make test" in README
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_nothing_is_fitted_or_written_at_import(tmp_path: Path) -> None:
    """Importing the suite makes no folder and no file."""
    subprocess.run(
        [sys.executable, "-B", "-c", "import benchmarks.load, benchmarks.mmap"],
        cwd=ROOT,
        env={"TMPDIR": str(tmp_path), "PATH": "", "HOME": str(tmp_path)},
        check=True,
    )
    assert not list(tmp_path.iterdir())


def test_figures_of_two_environments_are_never_divided(tmp_path: Path) -> None:
    """The newest environment that has both figures of a ratio tells it; the rest is the older's."""
    grid = params(["small"], ["pickle-5", "joblib"])
    machine = "reference-desk"
    describe(tmp_path, ["load.Load.time_load", "cold.LoadCold.time_load_cold"], grid=grid)
    for path in tmp_path.glob("desk/*"):
        (tmp_path / machine).mkdir(exist_ok=True)
        path.rename(tmp_path / machine / path.name)
    (tmp_path / machine / "machine.json").write_text(f'{{"machine": "{machine}", "version": 1}}')
    day = 86_400_000
    old = {"machine": machine, "environment": "old", "grid": grid}
    measured(tmp_path, [1.0, 4.0], started=day, **old)
    measured(tmp_path, [2.0, 6.0], started=day, name="cold.LoadCold.time_load_cold", **old)
    new = old | {"environment": "new"}
    measured(tmp_path, [1.0, 2.0], started=9 * day, **new)
    own = reference(tmp_path)
    assert [one.environment for one in own.platforms] == ["new", "old"]
    assert own.ratio("load", "small", "joblib").endswith("2×")
    assert own.ratio("load_cold", "small", "joblib").endswith("3×")
    assert own.figure("load", "small", "skops") is None
