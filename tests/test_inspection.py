"""What is in an artifact is shown, and nothing loads the artifact unasked."""

import os
import pickle
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


def test_former_command_is_hidden() -> None:
    """The help shows `inspect`, and no longer `weigh`."""
    help_text = CliRunner().invoke(app, ["--help"]).output
    assert "inspect" in help_text
    assert "weigh" not in help_text
