"""The machine is described and registered without a question."""

import hashlib
import json
import tempfile
from pathlib import Path

import pytest

from persistbench.errors import UserError
from persistbench.suite import registration
from persistbench.system import file_system, machine


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without asv's machine file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
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
    assert "-otherfs-" in registration.register()


def test_machine_that_the_user_named_stays(home: Path) -> None:
    """A registered machine keeps the name that its owner gave it."""
    from asv.machine import Machine

    host = Machine.get_unique_machine_name()
    mine = registration.describe() | {"machine": "my-desk", "os": "Linux"}
    (home / ".asv-machine.json").write_text(json.dumps({host: mine, "version": 1}))
    assert registration.register() == "my-desk"


def test_name_of_the_class_alone_is_replaced(home: Path) -> None:
    """A machine that was registered here under its class is registered anew."""
    from asv.machine import Machine

    facts = registration.describe()
    old = facts | {"machine": facts["machine"].rpartition("-")[0]}
    host = Machine.get_unique_machine_name()
    (home / ".asv-machine.json").write_text(json.dumps({host: old, "version": 1}))
    assert registration.register() == facts["machine"]


@pytest.mark.parametrize("other", [("b", "x"), ("a", "y"), ("", "x")])
def test_machines_of_one_class_differ(other: tuple[str, str]) -> None:
    """Either id tells two machines of one class apart, and neither id is in the name."""
    one = machine.local_name("CPU 2", ("a", "x"))
    assert one == machine.local_name("CPU 2", ("a", "x"))
    assert one.startswith("cpu-2-")
    assert len(one) == len("cpu-2-") + 6
    assert machine.local_name("CPU 2", other) != one


def test_ids_stay(home: Path) -> None:
    """The random id is made once, and a home of its own has its own."""
    first = machine.ids()
    assert machine.ids() == first
    (home / ".local" / "state" / "persistbench" / "machine-id").unlink()
    assert machine.ids() != first


def test_no_local_name_is_that_of_a_reference() -> None:
    """A class whose slug begins like a reference's name gets another beginning."""
    assert not machine.local_name("Reference CPU", ("a", "x")).startswith(machine.REFERENCE_PREFIX)


def test_name_gives_no_id_and_no_host_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the host's name, nor the ids, nor a digest of an id alone is in the name."""
    monkeypatch.setattr("platform.node", lambda: "secret-host")
    system, own = "5ec12e7" * 4, "ab01cd23" * 4
    monkeypatch.setattr(machine, "ids", lambda: (system, own))
    name = registration.describe()["machine"]
    suffix = name.rpartition("-")[2]
    assert "secret" not in name
    for known in (system, own):
        assert suffix not in known
        assert suffix not in hashlib.sha256(known.encode()).hexdigest()
        assert suffix not in hashlib.blake2b(known.encode(), digest_size=3).hexdigest()


def test_machine_without_a_system_id_has_a_name_that_stays(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system has no id, the random one of the user's state folder tells it apart."""
    monkeypatch.setattr(machine, "MACHINE_ID", home / "none")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    first = registration.describe()["machine"]
    assert registration.describe()["machine"] == first
    assert machine.ids() == ("", (home / "state/persistbench/machine-id").read_text())
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "other"))
    assert registration.describe()["machine"] != first


def test_home_that_cannot_be_written_is_one_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's id does alone; without one the reader is told what to do."""
    (home / "state").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    (home / "system-id").write_text("5ec12e7")
    monkeypatch.setattr(machine, "MACHINE_ID", home / "system-id")
    assert machine.ids() == ("5ec12e7", "")
    monkeypatch.setattr(machine, "MACHINE_ID", home / "none")
    with pytest.raises(UserError, match="XDG_STATE_HOME"):
        machine.ids()
