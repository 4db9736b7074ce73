"""A container's limit of memory is known, whichever version of control groups it is told by."""

import math
from pathlib import Path

import pytest

from persistbench.cases import scaled
from persistbench.measure import scaling
from persistbench.system import control_groups


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands for /sys/fs/cgroup; its process is in no group yet."""
    monkeypatch.setattr(control_groups, "ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "OWN", tmp_path / "own")
    return tmp_path / "cgroup"


def group(folder: Path, files: dict[str, str]) -> None:
    """Write the files of a control group."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")


FIRST = {
    "memory.limit_in_bytes": "8000",
    "memory.usage_in_bytes": "5000",
    "memory.stat": "cache 4000\ntotal_inactive_file 3000",
}
SECOND = {"memory.max": "6000", "memory.current": "5000", "memory.stat": "inactive_file 3000"}


def test_without_groups_nothing_is_limited(root: Path) -> None:
    """Other systems have no such file, and a process need not have a limit."""
    assert control_groups.memory_left() == math.inf
    root.with_name("own").write_text("0::/free\n")
    group(root / "free", SECOND | {"memory.max": "max"})
    assert control_groups.memory_left() == math.inf


def test_first_version_is_read(root: Path) -> None:
    """Pages of files that were not used lately are not taken."""
    root.with_name("own").write_text("5:cpu,memory:/inner\n1:cpuset:/\n")
    group(root / "memory" / "inner", FIRST)
    assert control_groups.memory_left() == 6000


def test_group_of_the_group_counts(root: Path) -> None:
    """The tightest limit holds, be it that of a group around this one."""
    root.with_name("own").write_text("0::/outer/inner\n")
    group(root / "outer", SECOND)
    group(root / "outer" / "inner", SECOND | {"memory.max": "7000"})
    assert control_groups.memory_left() == 4000


def test_path_of_the_host_falls_back_to_the_root(root: Path) -> None:
    """A container sees its own group at the root, and may be told the path that its host has."""
    root.with_name("own").write_text("0::/system.slice/docker-1.scope\n")
    group(root, SECOND)
    assert control_groups.memory_left() == 4000


def test_scaling_refuses_what_the_container_has_no_room_for(root: Path) -> None:
    """With the numbers, before it starts."""
    root.with_name("own").write_text("0::/\n")
    group(root, SECOND | {"memory.max": "10002000"})
    reason = scaling.too_large(scaled.pipelines()["array-4MB"])
    assert reason == "array-4MB needs 16 MB of memory, and 10 MB are free"
    assert not scaling.too_large(scaled.pipelines()["array-2MB"])
