"""Which file system holds a file."""

from pathlib import Path

import psutil


def file_system(path: Path) -> str:
    """Return the type of the file system that holds ``path``, such as ``ext4``."""
    resolved = path.resolve()
    mounts = {Path(part.mountpoint): str(part.fstype) for part in psutil.disk_partitions(all=True)}
    for folder in (resolved, *resolved.parents):
        if folder in mounts:
            return mounts[folder]
    return "unknown"
