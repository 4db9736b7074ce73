"""The command line: what it lists, and one sentence for bad input."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from persistbench import backends
from persistbench.cases import catalogue

ROOT = Path(__file__).parents[1]


def persistbench(
    *arguments: str, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "persistbench", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    """Return the only line of the error output; the exit status says bad input."""
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert "Traceback" not in line
    return line


def test_list_json_tells_everything() -> None:
    """`list --json` has every backend with its claims and every pipeline with its size."""
    result = json.loads(persistbench("list", "--json").stdout)
    assert [row["id"] for row in result["backends"]] == list(backends.discover())
    assert [row["name"] for row in result["pipelines"]] == list(catalogue.discover())
    lz4 = next(row for row in result["backends"] if row["id"] == "joblib-lz4-1")
    assert lz4["install"] == "pip install joblib lz4"
    sizes = {row["name"]: row["payload_bytes"] for row in result["pipelines"]}
    assert sizes["large_array"] > 32_000_000
    assert sizes["open_handle"] is None


def test_list_is_readable_in_a_narrow_terminal() -> None:
    """At 80 columns ids and names are whole."""
    text = persistbench("list", COLUMNS="80").stdout
    for name in (*backends.discover(), *catalogue.discover()):
        assert name in text


def test_show_prints_what_is_in_results(tmp_path: Path) -> None:
    """`show` reads the committed results: the floor, a first, and reasons where there is none."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "results"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    only = ("--pipeline", "forest", "--question", "map")
    result = persistbench("show", *only, "--format", "json", cwd=tmp_path)
    rows = {row["backend"]: row for row in json.loads(result.stdout)}
    assert rows["raw"]["rank"] == "floor"
    assert {"1"} < {rows[name]["rank"] for name in ("joblib", "pickle-5-oob")}
    assert rows["joblib"]["samples"] >= 2
    assert rows["joblib-lzma-3"]["status"] == "n/a"
    assert "lzma cannot be memory-mapped" in rows["joblib-lzma-3"]["reason"]


def test_show_names_what_there_is(tmp_path: Path) -> None:
    """Without results, and for an unknown name, one sentence says what to do."""
    assert "make bench" in one_sentence(persistbench("show", cwd=tmp_path))
    assert "time_dump" not in one_sentence(persistbench("show", "--question", "nosuch"))


@pytest.mark.parametrize("option", ["--pipeline", "--backend"])
def test_unknown_name_is_refused_before_anything_runs(option: str) -> None:
    """A misspelt pipeline or backend gives one sentence and starts nothing."""
    line = one_sentence(persistbench("bench", option, "nosuch"))
    assert f"There is no {option[2:]} 'nosuch'" in line


def test_folder_without_suite_is_named(tmp_path: Path) -> None:
    """Outside a checkout the sentence says what is missing."""
    assert "no asv.conf.json" in one_sentence(persistbench("bench", cwd=tmp_path))


def test_missing_git_repository_is_named(tmp_path: Path) -> None:
    """A checkout that was downloaded without git history says so."""
    shutil.copy(ROOT / "asv.conf.json", tmp_path)
    line = one_sentence(persistbench("bench", cwd=tmp_path, GIT_CEILING_DIRECTORIES=str(tmp_path)))
    assert "not a git repository" in line


def test_results_folder_that_cannot_be_written_is_named(checkout: Path) -> None:
    """A file in the way of results/ is named, and stays."""
    shutil.rmtree(checkout / "results", ignore_errors=True)
    (checkout / "results").write_text("mine")
    line = one_sentence(persistbench("bench", cwd=checkout, PYTHONPATH=str(checkout)))
    assert "cannot be written to" in line
    assert (checkout / "results").read_text() == "mine"


def test_pipeline_without_build_is_named(checkout: Path) -> None:
    """A pipeline file without build() is named by `list`, with status 2, after the tables."""
    (checkout / "pipelines" / "forgotten.py").write_text('"""Nothing."""\n')
    for other in (checkout / "pipelines").glob("[a-eg-z]*.py"):
        other.unlink()  # nothing has to be fitted for this
    (checkout / "pipelines" / "forest.py").unlink()
    result = persistbench("list", cwd=checkout, PYTHONPATH=str(checkout))
    assert "forgotten.py has no function build()" in one_sentence(result)
    assert "joblib-xz-3" in result.stdout


def test_two_files_with_one_id_are_named(checkout: Path) -> None:
    """Two backend files that claim one id are both named, and nothing starts."""
    folder = checkout / "persistbench" / "backends"
    shutil.copy(folder / "raw.py", folder / "raw_again.py")
    line = one_sentence(persistbench("bench", cwd=checkout, PYTHONPATH=str(checkout)))
    assert "raw.py" in line
    assert "raw_again.py" in line
