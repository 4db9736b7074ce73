"""The memory of several processes that hold the same artifact and answer requests. Linux only.

Summed resident sets count a page that eight processes share eight times. The proportional set
size (PSS) counts it an eighth in each, so its sum is what the machine needs. The unique set size
(USS) is what goes when one process ends.
"""

import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from persistbench.cells.cell import Cell
from persistbench.errors import UnsupportedError
from persistbench.integrity.answers import answers_same
from persistbench.integrity.asking import one_thread
from persistbench.sandbox import context

KINDS = ("pss", "uss", "rss")
REQUESTS = 3
"""Each process answers so many requests while the others hold and answer, too."""

_SECONDS = 300.0


def require() -> None:
    """Raise UnsupportedError where there is nothing to read or to fork."""
    if sys.platform != "linux" or not Path("/proc/self/smaps_rollup").exists():
        raise UnsupportedError(f"{sys.platform} does not tell which pages processes share")


def sensible(count: int) -> bool:
    """Return whether so many processes say anything on this machine."""
    return count == 1 or (os.cpu_count() or 1) > 1


def hold(cell: Cell, count: int, mapped: bool) -> dict[str, int]:
    """Return the bytes that so many processes need in all for the artifact of a cell.

    They are forked, as those of a pre-forking server are. They are measured before they load,
    and again when all have loaded and answered. The difference is what the artifact costs.

    Args:
        cell: a right one.
        count: how many processes.
        mapped: whether each maps the artifact (``mmap_mode="r"``) or loads it.

    Returns:
        The sums of ``pss``, ``uss`` and ``rss``.

    Raises:
        RuntimeError: a process died, or answered wrongly.
    """
    reference = cell.load_original()
    request = (cell.backend, str(cell.artifact), mapped, reference.first_use, reference.X)
    expected = reference.outputs.get(reference.first_use)
    pipes: list[Connection] = []
    children: list[Any] = []
    try:
        for _ in range(count):
            here, there = context().Pipe()
            work = (there, request, expected)
            child = context().Process(target=_worker, args=work, daemon=True)
            child.start()
            there.close()
            pipes.append(here)
            children.append(child)
        _all(pipes, "ready")
        pids = [int(child.pid) for child in children]
        before = _measured(pids)
        _all(pipes, "answered")
        after = _measured(pids)
    finally:
        for child in children:
            child.kill()
            child.join()
    return {kind: after[kind] - before[kind] for kind in KINDS}


def _all(pipes: list[Connection], word: str) -> None:
    """Let every process go on, and wait until each has said the word."""
    for pipe in pipes:
        pipe.send(word)
    for number, pipe in enumerate(pipes, start=1):
        try:
            answer = pipe.recv() if pipe.poll(_SECONDS) else "nothing in time"
        except EOFError:
            answer = "died"
        if answer != word:
            raise RuntimeError(f"process {number} of {len(pipes)}: {answer}")


def _worker(pipe: Connection, request: tuple[Any, ...], expected: Any) -> None:
    backend, artifact, mapped, use, rows = request
    try:
        pipe.send(pipe.recv())  # ready
        word = pipe.recv()
        loaded = backend.load(artifact, "r" if mapped else None)
        for _ in range(REQUESTS):
            with one_thread():
                answer = getattr(loaded, use)(rows)
            if not answers_same(expected, answer, backend.claims):
                word = "answered wrongly"
        pipe.send(word)
        pipe.recv()  # hold the artifact until the end
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")


def _measured(pids: list[int]) -> dict[str, int]:
    """Return the sums over processes, in bytes."""
    measured = [psutil.Process(pid).memory_full_info() for pid in pids]
    return {kind: sum(getattr(one, kind) for one in measured) for kind in KINDS}
