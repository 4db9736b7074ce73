"""The one measuring loop: each call of a backend is paired with calls of its references.

A shared machine drifts: the same call takes 20 % more a minute later. What both of two paired
calls pay cancels in their ratio. Every call leaves a row: its wall time, its CPU time, and the wall
times of the references called just before and after it. The process writes its rows to the folder
of the run. asv's plugin gathers the rows beside asv's results, a line for each cell and question:
``results/<machine>/<commit>-<environment>.pairs.jsonl``.

The suite, the calibration and the experiments of docs/ measure with this loop. asv is not imported
here, nor is NumPy: the plugin runs wherever asv is installed.
"""

import gc
import hashlib
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from persistbench.records import run
from persistbench.records.pairs import Key

PROCESSES = 5
"""In so many processes the paired calls of a cell are made, unless they are slow."""

CALLS, SECONDS = 30, 0.15
"""So many calls a process makes, or as many as fit into these seconds, references included."""

WARM_UP_SECONDS = 0.02
"""So long a process calls before anything counts; its first call never does."""


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
In three calls each of the three is once first, once second and once last."""

_NOTED = 0.005
"""Seconds: shorter calls leave no note of their pace, because they need none."""


class Recorder:
    """Writes the rows of one process."""

    def __init__(self, key: Key, references: Sequence[str]) -> None:
        """Open the file, if this run has a folder.

        Args:
            key: what is measured.
            references: the names of what it is paired with.
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


class Timed(Protocol):
    """What is called; :mod:`persistbench.measure.actions` has those of the suite."""

    @property
    def warming(self) -> int:
        """So often a reference is called before anything counts."""

    def before(self) -> None:
        """Do what belongs right before a call, outside the clock."""

    def call(self) -> None:
        """Do what is timed."""

    def reset(self) -> None:
        """Undo what the call left, outside the clock."""


class Row(NamedTuple):
    """One call, and one of each reference, all in seconds.

    Attributes:
        wall: of the call.
        cpu: of the call, of all threads of the process.
        references: wall time of each reference, in the order in which they were given.
    """

    wall: float
    cpu: float
    references: tuple[float, ...]


class PairedCalls:
    """Calls of one process, each paired with calls of its references.

    Attributes:
        own: what is measured.
        names: of the references.
        record: is called with each row, such as :meth:`Recorder.add`.
    """

    def __init__(self, own: Timed, references: Mapping[str, Timed]) -> None:
        """Take what is ready to be called.

        Args:
            own: what is measured.
            references: by name; each is called before anything counts, as often as its attribute
                ``warming`` says.
        """
        self.own = own
        self.names = list(references)
        self.record: Callable[[float, float, Sequence[float]], None] = lambda *_: None
        self._references = list(references.values())
        self._rows = 0
        for reference in self._references:
            for _ in range(reference.warming):
                timed(reference)

    def row(self) -> Row:
        """Make one call, and one of each reference, in an order that changes from row to row."""
        last = len(self._references)  # the index of the call itself
        calls = [*self._references, self.own]
        seconds = {index: timed(calls[index]) for index in order(self._rows, last + 1)}
        self._rows += 1
        row = Row(*seconds[last], tuple(seconds[index][0] for index in range(last)))
        self.record(*row)
        return row

    def rows(self, seconds: float = SECONDS, least: int | None = None) -> list[Row]:
        """Return the rows of a process, as the suite makes them; the first one does not count.

        Args:
            seconds: for so long calls are made after the warm-up.
            least: so many rows at least after the first; None for those of the :func:`pace`.
        """
        start = time.perf_counter()
        rows = [self.row()]
        least = pace(rows[0].wall).calls if least is None else least
        while time.perf_counter() < start + WARM_UP_SECONDS:
            rows.append(self.row())
        most, end = len(rows) + CALLS, time.perf_counter() + seconds
        while len(rows) < 1 + least or (len(rows) < most and time.perf_counter() < end):
            rows.append(self.row())
        return rows


def timed(action: Timed) -> tuple[float, float]:
    """Make one call; return its wall time and its CPU time in seconds.

    The garbage collector is on, as in production; asv's timeit has switched it off.
    """
    action.before()
    gc.enable()
    cpu = time.process_time()
    start = time.perf_counter()
    action.call()
    wall = time.perf_counter() - start
    cpu = time.process_time() - cpu
    action.reset()
    return wall, cpu


def order(row: int, count: int) -> list[int]:
    """Return the order in which calls are made, as indices.

    A call is quicker after a call of its own kind. It is slower as the first of a row, because the
    harness has worked before it. So the order changes from row to row. Within twice as many rows
    as there are calls, each call is equally often at each position. Of three calls, each follows
    each other one equally often.

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
