"""asv's environments are made by uv: all pins at once, and nothing newer."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from asv import environment as asv_environment
from asv import util
from asv.config import Config

from persistbench.suite import environment
from persistbench.suite.environment import PinnedUv

ROOT = Path(__file__).parents[1]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PinnedUv:
    """The environment that asv.conf.json describes, not yet on the disk."""
    monkeypatch.chdir(ROOT)
    description = Config.load("asv.conf.json")
    description.env_dir = str(tmp_path / "env")
    (result,) = asv_environment.get_environments(description, None, verbose=False)
    assert isinstance(result, PinnedUv)
    return result


def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the list that commands are added to instead of being run."""
    ran: list[list[str]] = []

    def note(command: list[str], **_: Any) -> tuple[str, str, int]:
        ran.append(command)
        if command[1] == "venv":
            Path(command[-1]).mkdir()
        return "", "", 0

    monkeypatch.setattr(util, "check_output", note)
    return ran


def test_all_pins_are_installed_by_one_command(
    made: PinnedUv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each library of the matrix is named once, with its version; asv's own are there, too."""
    ran = commands(monkeypatch)
    made.create()
    create, install = ran
    assert create[1] == "venv"
    assert f"--python={sys.executable}" in create
    for name, (version,) in Config.load("asv.conf.json").matrix["req"].items():
        assert install.count(f"{name.removeprefix('pip+')}=={version}") == 1
    assert [one for one in install if one.startswith("asv_runner")] == ["asv_runner==0.3.2"]
    assert any(one.startswith("pympler") for one in install)


def test_commands_of_the_configuration_find_uv(made: PinnedUv) -> None:
    """Uv builds and installs the project; it is not one of the environment's own programs."""
    assert Path(made.find_executable("uv")).is_file()


def test_uv_beside_the_interpreter_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """`asv run` works in an environment that is not activated."""
    if not Path(sys.executable).with_name("uv").exists():
        pytest.skip("uv is not installed beside this interpreter")
    monkeypatch.chdir(ROOT)
    usual = [part for part in os.environ["PATH"].split(os.pathsep) if not Path(part, "uv").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(usual))
    assert shutil.which("uv") is None
    assert PinnedUv.matches("3.11")
    PinnedUv(Config.load("asv.conf.json"), "3.11", {}, {})
    assert shutil.which("uv") == environment.uv()


def test_environment_that_was_made_is_kept(
    made: PinnedUv, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The next run takes it as it is: without a network it could not be made again."""

    def make(command: list[str], **_: Any) -> tuple[str, str, int]:
        if command[1] == "venv":
            folder = Path(command[-1], "bin")
            folder.mkdir(parents=True)
            (folder / "python").symlink_to(sys.executable)
        return "", "", 0

    check_output = util.check_output
    monkeypatch.setattr(util, "check_output", make)
    made.create()
    monkeypatch.setattr(util, "check_output", check_output)
    description = Config.load("asv.conf.json")
    description.env_dir = str(tmp_path / "env")
    (again,) = asv_environment.get_environments(description, None, verbose=False)
    assert again.check_presence()


OFFLINE = """Using Python 3.11.7 environment at: env/38effe
error: No solution found when resolving dependencies
  cause: Because asv-runner was not found in the cache, your requirements are unsatisfiable.

hint: Packages were unavailable because the network was disabled.
"""
REFUSED = """error: Request failed after 3 retries in 4.3s
  cause: Failed to fetch: https://pypi.org/simple/joblib/
  cause: tunnel error: failed to create underlying connection
"""


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            OFFLINE,
            "No solution found when resolving dependencies; Because asv-runner was not found in "
            "the cache, your requirements are unsatisfiable",
        ),
        (
            REFUSED,
            "Request failed after 3 retries in 4.3s; Failed to fetch: "
            "https://pypi.org/simple/joblib/; tunnel error: failed to create underlying connection",
        ),
        ("Killed\n", "Killed"),
        ("", ""),
        ("error: " + "x" * 900, "x" * 500),
    ],
)
def test_failure_of_uv_is_one_sentence(
    made: PinnedUv, monkeypatch: pytest.MonkeyPatch, output: str, sentence: str
) -> None:
    """It quotes the error and its causes, without hints; asv's log shows nothing beside it."""
    assert environment.said(output) == sentence
    monkeypatch.setattr(util, "check_output", lambda *_, **__: (output, "", 1))
    with pytest.raises(util.UserError, match="are fetched from the network") as raised:
        made.create()
    assert f'because uv says: "{sentence}".' in str(raised.value)
