"""What the documents say holds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from persistbench import backends

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
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link in a document names a file of the repository."""
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
        assert target.startswith("https:") or (document.parent / target).exists(), target


def test_readme_names_every_committed_pipeline() -> None:
    """No pipeline of the project is missing from the README's list."""
    for path in _tracked("pipelines/[a-z]*.py"):
        assert f"`{path.stem}`" in README


def test_readme_counts_the_committed_backends() -> None:
    """The number of backends that the README tells is that of the project's own files."""
    (count,) = re.findall(r"(\d+) backends", README)
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
