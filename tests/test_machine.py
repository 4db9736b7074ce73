"""The machine is described and registered without a question."""

import json
import tempfile
from pathlib import Path

import pytest

from persistbench.suite import registration
from persistbench.system import file_system


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without asv's machine file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def test_description_tells_what_a_reader_must_know() -> None:
    """CPU, cores, memory, operating system and file system are all there."""
    facts = registration.describe()
    files = file_system.file_system(Path(tempfile.gettempdir()))
    assert files in facts["os"]
    assert files in facts["machine"]
    assert "cores" in facts["cpu"]
    assert facts["ram"].endswith("GiB")
    assert facts["num_cpu"] in facts["machine"]


def test_registering_writes_what_asv_reads(home: Path) -> None:
    """After registering, asv finds this machine under the same name without asking."""
    from asv.machine import Machine

    name = registration.register()
    assert Machine.load(interactive=False).machine == name
    assert (home / ".asv-machine.json").is_file()


def test_other_file_system_is_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of a TMPDIR on another file system do not get the first one's name."""
    first = registration.register()
    monkeypatch.setattr(registration, "file_system", lambda path: "otherfs")
    assert registration.register() != first
    assert registration.register().endswith("otherfs")


def test_machine_that_the_user_named_stays(home: Path) -> None:
    """A registered machine keeps the name that its owner gave it."""
    from asv.machine import Machine

    host = Machine.get_unique_machine_name()
    mine = registration.describe() | {"machine": "my-desk", "os": "Linux"}
    (home / ".asv-machine.json").write_text(json.dumps({host: mine, "version": 1}))
    assert registration.register() == "my-desk"
