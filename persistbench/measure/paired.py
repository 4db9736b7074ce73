"""Calls in turn: the reference and the backend one after the other in one process.

A shared machine drifts: the same call takes 20 % more a minute later. What both of two
calls in turn pay cancels in their ratio. Every timed call leaves a row: its wall time, its
CPU time, and the wall times of the references called just before and after it. The process writes
rows to a folder of the run; asv's plugin gathers them beside asv's results, in
``results/<machine>/<commit>-<environment>.pairs.jsonl``: a line for each cell and question.

Only the standard library is imported here: the plugin runs wherever asv is installed.
"""

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from persistbench.records import run
from persistbench.records.pairs import Key

PROCESSES = 5
"""In so many processes the calls in turn of a cell are made, unless they are slow."""

CALLS, SECONDS = 30, 0.15
"""So many calls a process makes, or as many as fit into these seconds with those in turn."""


class Pace(NamedTuple):
    """How often a call is made that takes less than ``seconds``, and more than the pace before.

    Attributes:
        seconds: of one call.
        processes: in so many it is made; then it sits out the later rounds of a run.
        calls: so many at least a process makes after its first.
    """

    seconds: float
    processes: int
    calls: int


QUICK = Pace(0.06, PROCESSES, 10)
"""In what SECONDS leaves these, calls would be too few to say what is typical of a process."""

PACES = (QUICK, Pace(0.3, 3, 3), Pace(1.0, 2, 0), Pace(math.inf, 1, 0))
"""The minutes are worth more elsewhere than in slow calls: they are slower than others by far.
Three calls are once at each place of a row with two references."""

_NOTED = 0.005
"""Seconds: shorter calls leave no note of their pace, because they need none."""


class Recorder:
    """Writes the rows of one process."""

    def __init__(self, key: Key, references: Sequence[str]) -> None:
        """Open the file, if this run has a folder.

        Args:
            key: what is measured.
            references: the names of what is called in turn with it.
        """
        self._file = -1
        self._key = key
        self._noted = False
        self._run = run.current()
        if self._run:
            self._file, _ = tempfile.mkstemp(".jsonl", dir=self._run.folder)
            self._write({"key": key, "references": list(references)})

    def add(self, wall: float, cpu: float, references: Sequence[float]) -> None:
        """Append the row of one call, all in seconds; one system call of a few microseconds."""
        if self._file >= 0:
            self._write([wall, cpu, *references])
            if self._run and wall > _NOTED and not self._noted:
                with _note(self._run.folder, self._key).open("a") as file:
                    file.write(json.dumps([self._key, wall]) + "\n")
            self._noted = True

    def _write(self, content: Any) -> None:
        os.write(self._file, json.dumps(content).encode() + b"\n")


def order(row: int, count: int) -> list[int]:
    """Return the order in which calls are made, as indices.

    A call is quicker after one of its own kind, and slower if it is the first of a row, because the
    harness has worked before it. So in the course of twice as many rows as there are
    calls, each is as often at each place; and of three, each is as often called after each other.

    Args:
        row: counted from 0.
        count: of calls.
    """
    forwards = list(range(count))
    turned, start = divmod(row, count)
    ring = forwards[::-1] if turned % 2 else forwards
    return ring[start:] + ring[:start]


def pace(seconds: float) -> Pace:
    """Return the pace of a call that takes so long."""
    return next(one for one in PACES if seconds < one.seconds)


def sits_out(key: Key) -> bool:
    """Return whether a cell is slow and earlier rounds of this run have called it often enough."""
    own = run.current()
    return own is not None and _is_done(_paces(_note(own.folder, key)))


def done(folder: Path) -> set[Key]:
    """Return what is called no more in this run."""
    result = set()
    for path in folder.glob("*.pace"):
        if _is_done(_paces(path)):
            result.add(tuple(json.loads(path.read_text().splitlines()[0])[0]))
    return result


def _is_done(paces: list[float]) -> bool:
    return bool(paces) and len(paces) >= pace(min(paces)).processes


def _paces(path: Path) -> list[float]:
    """Return the seconds of the first call of each process of this run."""
    if not path.is_file():
        return []
    return [json.loads(line)[1] for line in path.read_text().splitlines()]


def _note(folder: Path, key: Key) -> Path:
    return Path(folder, f"{hashlib.sha256(repr(key).encode()).hexdigest()}.pace")
