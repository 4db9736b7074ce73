"""No command ends in a traceback on bad input: one sentence says what is wrong, with status 2."""

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persistbench.calibrate import run as calibration
from persistbench.cases import catalogue
from persistbench.cli import app
from persistbench.suite import run as suite
from tests._results import describe, measured, record

ROOT = Path(__file__).parents[1]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that holds nothing."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sentence(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command; return the one sentence that it prints, without what typer draws around."""
    assert run(*arguments) == 2
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    return " ".join(printed.replace("│", " ").split())


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Show what is in results/; return what is printed."""
    assert run("show", *arguments) == 0
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed


def run(*arguments: str) -> int:
    """Run a command in this process; return its exit status."""
    argv, sys.argv = sys.argv, ["persistbench", *arguments]
    try:
        with pytest.raises(SystemExit) as ended:
            app.main()
    finally:
        sys.argv = argv
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("nosuch", "No such command 'nosuch'"),
        ("list --nosuch", "No such option: --nosuch"),
        ("bench --pipeline nosuch", "There is no pipeline 'nosuch'"),
        ("bench --backend jobllib", "did you mean joblib"),
        ("bench --new --backend joblib", "--new finds out itself"),
        ("bench --backend joblib -b load", "do not go with asv's --bench"),
        ("bench -b (", "is no regular expression"),
        ("bench --python", "does not understand these arguments (argument"),
        ("bench -a rounds", "does not understand these arguments (argument"),
        ("try safety --only nosuch", "There is no kind of trial 'nosuch'"),
        ("try safety --pipeline nosuch", "There is no pipeline 'nosuch'"),
        ("try safety --backend nosuch", "There is no backend 'nosuch'"),
        ("try safety --backend raw", "raw saves bytes and no estimator"),
        ("try safety --faults 0", "are numbers above 0"),
        ("try safety --faults many", "'--faults'"),
        ("try safety --patience -1", "are numbers above 0"),
        ("try safety --patience nan", "are numbers above 0"),
        ("try survival --only (", "is not a regular expression"),
        ("try survival --only NoSuchEstimator", "No estimator matches"),
        ("try survival --backend nosuch", "There is no backend 'nosuch'"),
        ("try custom-code --backend nosuch", "There is no backend 'nosuch'"),
        ("try exactness --pipeline nosuch", "There is no pipeline 'nosuch'"),
        ("try exactness --scheduler nonsense --backend joblib --pipeline small", "nonsense"),
        ("show --format nosuch", "'nosuch' is not one of"),
        ("show --question nosuch", "There are no figures of the question 'nosuch'"),
        ("show --pipeline nosuch", "There are no figures of the pipeline 'nosuch'"),
        ("pictures", "Missing argument 'folder'"),
        ("inspect", "Missing argument 'artifact'"),
        ("inspect nosuch --backend joblib", "has no function that inspects"),
        ("inspect nosuch --backend skops", "nosuch"),
        ("inspect nosuch", "Missing option '--backend'"),
        ("inspect README.md --backend nosuch", "There is no backend 'nosuch'"),
        ("inspect README.md --backend joblib --steps", "say --trusted"),
        ("inspect README.md --backend joblib --steps --trusted", "cannot be loaded"),
        ("weigh README.md --backend skops", "cannot be loaded"),
    ],
)
def test_bad_argument_is_one_sentence(
    arguments: str, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown names, options that do not go together, numbers out of range, foreign files."""
    monkeypatch.chdir(ROOT)
    assert says in sentence(capsys, *arguments.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("bench", "no asv.conf.json"),
        ("calibrate", "no asv.conf.json"),
        ("show", "There are no figures in results"),
        ("pictures charts", "There are no figures in results"),
        ("try survival --backend joblib", "no asv.conf.json"),
    ],
)
def test_folder_without_anything_is_one_sentence(
    here: Path, arguments: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outside a checkout, and without results, the sentence says what is missing."""
    assert says in sentence(capsys, *arguments.split())
    assert not list(here.iterdir())


def in_the_way(folder: Path) -> None:
    """Let results/ be a file."""
    (folder / "results").write_text("mine")


def cut_off(folder: Path) -> None:
    """Cut asv's description of the benchmarks off."""
    path = describe(folder / "results") / "benchmarks.json"
    path.write_text(path.read_text()[:40])


def not_utf8(folder: Path) -> None:
    """Let all of asv's files be bytes of something else."""
    measured(describe(folder / "results"), [0.1] * 4)
    for path in (folder / "results").rglob("*.json"):
        path.write_bytes(b"\xff\xfe\x00{")


def of_another_shape(folder: Path) -> None:
    """Let asv's description be valid, and none."""
    describe(folder / "results")
    (folder / "results" / "benchmarks.json").write_text(json.dumps([1, 2, 3]))


@pytest.mark.parametrize("spoil", [in_the_way, cut_off, not_utf8, of_another_shape])
@pytest.mark.parametrize("arguments", ["show", "show --format csv", "pictures charts"])
def test_results_that_cannot_be_read_are_one_sentence(
    here: Path,
    spoil: Callable[[Path], None],
    arguments: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is in the way, cut off or foreign is named."""
    (here / "results").mkdir()
    if spoil is in_the_way:
        (here / "results").rmdir()
    spoil(here)
    assert "results" in sentence(capsys, *arguments.split())


def stored(column: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return what replaces a column of a benchmark in a result file of asv's."""

    def replace(content: dict[str, Any]) -> None:
        index = content["result_columns"].index(column)
        for row in content["results"].values():
            row += [None] * (index + 1 - len(row))
            row[index] = value

    return replace


@pytest.mark.parametrize(
    "spoil",
    [
        stored("result", ["a", "b", "c", "d"]),
        stored("result", [10**400, 1, 2, 3]),
        stored("result", [math.inf, 1, 2, 3]),
        stored("result", [-1.0, -2.0, 0, 0]),
        stored("params", [["1", "2"], ["3", "4"]]),
        stored("params", [["'a\\x1b[31m'", "'b'"], ["'c'", "'d'"]]),
        stored("params", [["__import__('os')", "'b'"], ["'c'", "'d'"]]),
        stored("samples", [["a"]] * 4),
        stored("started_at", 10**30),
        stored("started_at", -(10**15)),
        stored("started_at", "yesterday"),
        stored("stats_ci_99_a", ["x"] * 4),
        lambda content: content.update(env_name=[1]),
        lambda content: content.update(commit_hash=3),
        lambda content: content.update(params=None),
        lambda content: content.update(results=[1]),
    ],
)
def test_foreign_results_are_named_and_the_others_shown(
    here: Path, spoil: Callable[[dict[str, Any]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever asv can read and no run of this suite has written leaves the rest as it is."""
    results = describe(here / "results")
    measured(results, [0.5] * 4)
    path = measured(results, [0.1] * 4, commit="d" * 40, environment="other")
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    for form in ("table", "csv", "json", "markdown"):
        printed = shown(capsys, "--format", form)
        assert path.name in printed.err
        assert "\x1b" not in printed.err + printed.out
        assert "500 ms" in printed.out or "0.5" in printed.out


def test_machine_that_cannot_be_read_is_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON that is nested too deeply for Python is an error of another kind than any other."""
    measured(describe(here / "results"), [0.5] * 4)
    (here / "results" / "desk" / "machine.json").write_text("[" * 100_000)
    assert "results cannot be read" in sentence(capsys, "show")


def test_reason_steers_no_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reason may come from a stranger's exception: what would steer a terminal is spelt out."""
    path = measured(describe(here / "results"), [math.nan, 0.5, 0.5, 0.5])
    record(path, pipeline="small", backend="pickle-5", reason="\x1b[31m\x07 [bold]x[/no]\r\nnext")
    note = {"status": "ok", "outcome": "same", "reason": "", "uncompared": ["predict: \x1b[2J"]}
    record(path, pipeline="small", backend="joblib", **note)
    for form in ("table", "csv", "json", "markdown"):
        printed = shown(capsys, "--format", form)
        assert "\x1b" not in printed.out
        assert "\x07" not in printed.out
        assert "[bold]x[/no]  next" in printed.out.replace("\n    ", " ")


def test_foreign_lines_of_records_are_named_and_left_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record file with foreign, cut-off and binary lines costs its own lines only."""
    path = measured(describe(here / "results"), [0.1, 0.2, 0.3, 0.4])
    record(path, pipeline="small", backend="joblib", reason="no joblib")
    for ending in (".outcomes.jsonl", ".pairs.jsonl"):
        with path.with_suffix(ending).open("ab") as file:
            file.write(b'{"cell": 3}\n[]\n\xff\xfe\n{"cell": "small')
    printed = shown(capsys, "--format", "csv")
    assert printed.out.count("0.1") >= 1
    assert "outcomes.jsonl" in printed.err
    assert "Traceback" not in printed.err


def test_folder_that_cannot_be_made_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A picture's folder that is a file, or lies in one, is named."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "file").write_text("mine")
    assert str(tmp_path / "file") in sentence(capsys, "pictures", str(tmp_path / "file"))
    assert str(tmp_path / "file") in sentence(capsys, "pictures", str(tmp_path / "file" / "in"))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [("TMPDIR", "/no/such/folder", ""), ("PERSISTBENCH_BASE", "/no/such", "set TMPDIR")],
)
def test_temporary_folder_that_is_missing_is_no_traceback(
    tmp_path: Path, variable: str, value: str, says: str
) -> None:
    """`list` needs a folder for fitted pipelines, and says so where it has none."""
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines")
    for path in (tmp_path / "pipelines").glob("[a-z]*.py"):
        if path.stem != "small":
            path.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "persistbench", "list"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", variable: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 2)
    assert says in done.stderr


def test_catalogue_that_is_broken_is_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of pipelines/ that cannot be imported under its name is named by every command."""
    monkeypatch.syspath_prepend(str(here))
    package = here / "own_pipelines"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "not-good.py").touch()
    discover = catalogue.discover
    monkeypatch.setattr(catalogue, "discover", lambda: discover("own_pipelines"))
    for command in ("list", "try exactness"):
        assert "not-good.py cannot be imported" in sentence(capsys, *command.split())


def test_reader_that_goes_away_is_no_traceback() -> None:
    """`persistbench show | head -1` ends without a word."""
    command = [sys.executable, "-m", "persistbench", "show", "--format", "csv"]
    show = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert show.stdout is not None
    assert show.stderr is not None
    assert show.stdout.readline().startswith(b"machine,")
    show.stdout.close()
    assert not show.stderr.read()
    assert show.wait() in (0, 1)
    show.stderr.close()


def test_pictures_of_nothing_are_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no picture shows what was measured, nothing is written, and that is said."""
    measured(
        describe(here / "results", ["other.Other.track_other"]),
        [1] * 4,
        name="other.Other.track_other",
    )
    assert "There is nothing to draw" in sentence(capsys, "pictures", "charts")
    assert not (here / "charts").exists()


def test_calibration_that_could_not_be_stored_does_not_begin(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever cannot write into results/ is told so before minutes of work."""
    monkeypatch.setattr(calibration, "run", lambda _: pytest.fail("it was begun"))
    monkeypatch.setattr(suite, "checkout", lambda: here)
    (here / "results").write_text("mine")
    assert "cannot be written to" in sentence(capsys, "calibrate")
