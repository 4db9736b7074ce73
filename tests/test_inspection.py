"""What is in an artifact is shown, and nothing loads the artifact unasked."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from persistbench import Case, backends
from persistbench.cli.app import app
from persistbench.errors import UserError
from persistbench.measure import inspection
from persistbench.outcomes import Outcome

PICKLE = backends.get("pickle-5")


class Toucher:
    """An object whose load makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A pickle whose load makes the folder `marker`."""
    path = tmp_path / "hostile.pkl"
    path.write_bytes(pickle.dumps([Toucher(tmp_path / "marker")], protocol=5))
    return path


def test_inspection_names_what_a_file_asks_for_and_runs_nothing(hostile: Path) -> None:
    """The name that the load would call is in the text, and nobody has called it."""
    (result,) = inspection.inspect(hostile, PICKLE)
    assert result.function == "pickletools.dis"
    assert any("mkdir" in line for line in result.lines)
    assert not (hostile.parent / "marker").exists()
    PICKLE.load(str(hostile))
    assert (hostile.parent / "marker").exists()


def test_command_prints_nothing_that_steers_the_terminal(
    hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control character in a file is printed as its code."""
    said = inspection.Inspection("look", inspection.Verdict(Outcome.SAME), ["a\x1b[2Jb"])
    monkeypatch.setattr(inspection, "inspect", lambda *_: [said])
    result = CliRunner().invoke(app, ["inspect", str(hostile), "--backend", "pickle-5"])
    assert result.exit_code == 0
    assert "a\\x1b[2Jb" in result.output
    assert "\x1b" not in result.output


def test_file_that_cannot_be_inspected_says_why(tmp_path: Path) -> None:
    """The exception of the library is the reason."""
    (tmp_path / "nonsense").write_bytes(b"nonsense")
    (result,) = inspection.inspect(tmp_path / "nonsense", PICKLE)
    assert result.verdict.outcome is Outcome.ERROR_AT_LOAD
    assert result.verdict.reason.startswith("ValueError")
    assert not result.lines


def test_long_texts_are_cut_and_the_rest_is_counted(tmp_path: Path) -> None:
    """A line has at most 200 characters; lines after 10,000 are left out and counted."""
    path = tmp_path / "long.pkl"
    path.write_bytes(pickle.dumps(["x" * 1_000, *range(20_000)], protocol=5))
    (result,) = inspection.inspect(path, PICKLE)
    assert len(result.lines) == inspection.LINES
    assert max(map(len, result.lines)) == inspection.WIDTH
    assert result.left_out > 10_000


@pytest.mark.parametrize(
    ("backend", "name", "sentence"),
    [
        ("joblib", "hostile.pkl", "no function that inspects"),
        ("pickle-5", "absent", "There is no file"),
    ],
)
def test_what_cannot_be_inspected_is_one_sentence(
    hostile: Path, backend: str, name: str, sentence: str
) -> None:
    """A backend without inspection functions, and a file that is not there."""
    with pytest.raises(UserError, match=sentence):
        inspection.inspect(hostile.parent / name, backends.get(backend))


@pytest.mark.parametrize("command", [("inspect", "--steps"), ("weigh",)])
def test_steps_are_shown_by_either_command(
    case: Case, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """The former command `weigh` shows what `inspect --steps` shows."""
    PICKLE.dump(case.estimator, str(tmp_path / "artifact"))
    words = [*command, str(tmp_path / "artifact"), "--backend", "pickle-5", "--trusted"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert "LogisticRegression"[:10] in result.output


def run(*words: str | Path) -> tuple[int, str]:
    """Return exit status and output of the command, as a user sees them."""
    result = subprocess.run(
        [sys.executable, "-m", "persistbench", "inspect", *words],
        capture_output=True,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )
    return result.returncode, (result.stdout + result.stderr).decode()


@pytest.mark.parametrize("more", [(), ("--steps", "--trusted")])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("empty", "is empty: save the pipeline again"),
        (".", "is a folder: name the file"),
        ("absent", "There is no file"),
        ("pipe", "is a device, a pipe or a socket: copy"),
        ("nonsense", "--backend"),
        ("cut", ""),  # with --steps the file is said to be incomplete
        ("x" * 300, "check the path"),
        (os.fsdecode(b"\xff\x1b[2J"), "There is no file"),
    ],
)
def test_input_that_is_no_artifact_is_one_sentence(
    name: str, sentence: str, more: tuple[str, ...], tmp_path: Path
) -> None:
    """The command ends with 2 and says what to do, with and without --steps."""
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nonsense").write_bytes(b"nonsense \x1b[2J")
    (tmp_path / "cut").write_bytes(pickle.dumps(["\x1b[2J"] * 10)[:-3])
    status, output = run(tmp_path / name, "--backend", "pickle-5", *more)
    assert status == 2
    (line,) = output.splitlines()
    assert line.startswith("persistbench: ")
    assert line.isprintable()
    assert sentence in line


def test_dict_of_a_model_and_its_columns_is_a_table(case: Case, tmp_path: Path) -> None:
    """Keys are printable, shared parts are named, and what looks like markup is text."""
    path = tmp_path / "[red]\x1b[2J[b]"
    held = {"model": case.estimator[0], "best": case.estimator[0], "a\x1b[2J[/]": [1], ":cat:": 2}
    PICKLE.dump(held, str(path))
    status, output = run(path, "--backend", "pickle-5", "--steps", "--trusted")
    assert status == 0
    assert all(line.isprintable() for line in output.splitlines())
    assert "shared with model" in output
    for text in ("[red]\\x1b[2J[b]", "a\\x1b[2J[/]", ":cat:"):
        assert text in output


def test_terminal_without_unicode_is_shown_a_key(tmp_path: Path) -> None:
    """What the terminal cannot show is printed as its code."""
    PICKLE.dump({"größe": [1]}, str(tmp_path / "artifact"))
    words = ["inspect", str(tmp_path / "artifact"), "--backend", "pickle-5"]
    for more in ([], ["--steps", "--trusted"]):
        result = CliRunner(charset="ascii").invoke(app, [*words, *more])
        assert result.exit_code == 0, result.exception
        assert "gr\\xf6" in result.output


def test_name_that_nothing_uses_is_said(hostile: Path) -> None:
    """Without --steps nothing is loaded, so no name is admitted."""
    words = ["inspect", str(hostile), "--backend", "pickle-5", "--trust", "a.b"]
    assert "--trust has no effect without --steps" in CliRunner().invoke(app, words).output


def test_former_command_is_hidden() -> None:
    """The help shows `inspect`, and no longer `weigh`."""
    help_text = CliRunner().invoke(app, ["--help"]).output
    assert "inspect" in help_text
    assert "weigh" not in help_text
