"""Two ways to save where an earlier artifact lies: straight to its path, or beside it first."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from persistbench.backends import Backend

OWN, RENAMED = "own", "renamed"
WAYS = (OWN, RENAMED)
"""The backend's own dump to the path, and a dump to a draft that is then renamed."""


def renamed(dump: Callable[[str], None], path: str) -> None:
    """Save beside the path, and take the path when all is on the disk: five lines that users need.

    Whoever loads finds the earlier artifact or the new one, never a part of one. Only a process
    that is killed leaves its draft.
    """
    draft = f"{path}.{os.getpid()}.new"
    try:
        dump(draft)
        with open(draft, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)  # noqa: PTH105 (as users write it)
    finally:
        Path(draft).unlink(missing_ok=True)


def save(backend: Backend, way: str, payload: Any, path: str) -> None:
    """Save in one of the :data:`WAYS`.

    Raises:
        Exception: whatever the backend raises.
    """
    if way == RENAMED:
        renamed(partial(backend.dump, payload), path)
    else:
        backend.dump(payload, path)
