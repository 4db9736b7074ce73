"""Processes that a trial has started and left behind: found and killed.

A child of the sandbox leads a session of its own, which is killed with it. What has left that
session is an orphan when the child is dead; Linux gives orphans to the process that has forked
the child, if that has asked for them.
"""

import contextlib
import multiprocessing.forkserver
import os
import signal
import sys
import time
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import psutil


def adopt() -> None:
    """Ask Linux to make orphans of this process's children its own children."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def kill_session(leader: int) -> None:
    """Kill a child that is not yet waited for, and all that is in its session."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def kill_orphans(others: Callable[[], Container[int]], mother: int) -> None:
    """Kill what a child has left that is dead.

    Args:
        others: returns the children of the mother that are none of its orphans.
        mother: the process that forks: this one or the fork server.
    """
    for _ in range(_TRIES):
        # An orphan may have children itself, which are orphans when it is dead.
        orphans = [one for one in children(mother) if one not in others()]
        if not orphans:
            return
        for orphan in orphans:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(orphan, signal.SIGKILL)
            if mother == os.getpid():
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(orphan, 0)
        time.sleep(_PAUSE_SECONDS)


def mother(method: str) -> int:
    """Return the process that forks children: this one, or the fork server if it is started."""
    if method == "forkserver":
        server: Any = multiprocessing.forkserver._forkserver
        return server._forkserver_pid or 0
    return os.getpid()


def children(parent: int) -> frozenset[int]:
    """Return the living children of a process; none where /proc does not tell."""
    try:
        text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    except OSError:
        return frozenset()
    return frozenset(map(int, text.split()))


def count(leader: int) -> int:
    """Return how many processes a child has started that are still its own."""
    try:
        return len(psutil.Process(leader).children(recursive=True))
    except psutil.Error:
        return 0


def written(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118
    return total


_TRIES, _PAUSE_SECONDS = 200, 0.005
"""The fork server takes its time until it has seen that an orphan is dead."""

_PR_SET_CHILD_SUBREAPER = 36  # sys/prctl.h
