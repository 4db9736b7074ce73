"""Two ways to save where an earlier artifact lies: straight to its path, or beside it first."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from persistbench.backends import Backend

OWN, RENAMED = "own", "renamed"
CONDITIONS = (OWN, RENAMED)


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


def save(backend: Backend, condition: str, payload: Any, path: str) -> None:
    """Save in one of the :data:`PLACES`.

    Raises:
        Exception: whatever the backend raises.
    """
    if condition == RENAMED:
        renamed(partial(backend.dump, payload), path)
    else:
        backend.dump(payload, path)
