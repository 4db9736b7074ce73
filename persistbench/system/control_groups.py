"""The memory that a container leaves to this process; psutil knows only that of the host."""

import math
from contextlib import suppress
from pathlib import Path

OWN = Path("/proc/self/cgroup")
"""Names the control groups of this process."""

ROOT = Path("/sys/fs/cgroup")
"""Holds the folders of control groups."""

_VERSIONS = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    "": ("", "memory.max", "memory.current", "inactive_file"),
}
"""What is read of a group, by the controller in /proc/self/cgroup; version 2 has none there.

There are the folder of the group, and the files with its limit and its use in bytes. Last comes a
field of memory.stat: the bytes of file pages that the kernel can give back. The kernel's
documentation has them in cgroup-v1/memory and cgroup-v2."""


def memory_left() -> float:
    """Return the bytes that the control groups of this process leave; infinite without a limit.

    File pages that nobody used lately count as free, as in `docker stats`.
    """
    left = math.inf
    lines = OWN.read_text().splitlines() if OWN.is_file() else []
    for _, controllers, group in (line.split(":", 2) for line in lines):
        for controller in controllers.split(","):
            if controller in _VERSIONS:
                root, *files = _VERSIONS[controller]
                left = min(left, _left(ROOT / root, group, files))
    return left


def _left(root: Path, group: str, files: list[str]) -> float:
    """Return the bytes that a group and its parents leave, up to the root.

    Inside a container the path of the group may be a path of the host. Then the root is the
    container's own group.
    """
    limit, used, idle = files
    left = math.inf
    path = Path(group.lstrip("/"))
    for folder in (root / part for part in (path, *path.parents)):
        with suppress(OSError, ValueError, KeyError):  # not there, or "max"
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            busy = int((folder / used).read_text()) - int(stat[idle])
            left = min(left, int((folder / limit).read_text()) - busy)
    return left
