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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = "PERSISTBENCH_PAIRS"
"""Environment variable: the folder of this run; unset if asv was told not to save."""

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

Key = tuple[str, str, str]
"""Question, pipeline, backend."""


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
        folder = os.environ.get(FOLDER)
        if folder:
            self._file, _ = tempfile.mkstemp(".jsonl", dir=folder)
            self._write({"key": key, "references": list(references)})

    def add(self, wall: float, cpu: float, references: Sequence[float]) -> None:
        """Append the row of one call, all in seconds; one system call of a few microseconds."""
        if self._file >= 0:
            self._write([wall, cpu, *references])
            if wall > _NOTED and not self._noted:
                with _note(self._key).open("a") as file:
                    file.write(json.dumps([self._key, wall]) + "\n")
            self._noted = True

    def _write(self, content: Any) -> None:
        os.write(self._file, json.dumps(content).encode() + b"\n")


@dataclass
class Pairs:
    """What was measured of a cell, one entry for each process.

    Attributes:
        key: question, pipeline, backend.
        version: of the benchmark.
        ratios: by reference, for each process, wall time over that of the reference.
        cpu: for each process, the CPU seconds of each call.
    """

    key: Key
    version: str
    ratios: dict[str, list[list[float]]] = field(default_factory=dict)
    cpu: list[list[float]] = field(default_factory=list)

    def add(self, references: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
        """Add a process; its first row is its warm-up, unless it has no other."""
        kept = rows[1:] or rows
        self.cpu.append([_short(row[1]) for row in kept])
        for index, name in enumerate(references, start=2):
            found = [_short(row[0] / row[index]) for row in kept]
            self.ratios.setdefault(name, []).append(found)


def question(name: str) -> str:
    """Return the question of asv's name of a benchmark, such as ``load.Load.time_load``."""
    return name.rpartition(".")[2].partition("_")[2]


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
    return bool(os.environ.get(FOLDER)) and _is_done(_paces(_note(key)))


def done(folder: Path) -> set[Key]:
    """Return what is called no more in this run."""
    found = set()
    for path in folder.glob("*.pace"):
        if _is_done(_paces(path)):
            found.add(tuple(json.loads(path.read_text().splitlines()[0])[0]))
    return found


def _is_done(paces: list[float]) -> bool:
    return bool(paces) and len(paces) >= pace(min(paces)).processes


def _paces(path: Path) -> list[float]:
    """Return the seconds of the first call of each process of this run."""
    if not path.is_file():
        return []
    return [json.loads(line)[1] for line in path.read_text().splitlines()]


def _note(key: Key) -> Path:
    return Path(os.environ[FOLDER], f"{hashlib.sha256(repr(key).encode()).hexdigest()}.pace")


def gather(folder: Path, version: str) -> list[Pairs]:
    """Return what the processes left in a folder, and remove their files.

    A process that died left whole rows; one without any is left out.
    """
    found: dict[Key, Pairs] = {}
    for path in sorted(folder.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        if len(rows) > 1:
            key: Key = tuple(rows[0]["key"])
            found.setdefault(key, Pairs(key, version)).add(rows[0]["references"], rows[1:])
    return list(found.values())


def read(path: Path) -> tuple[dict[Key, Pairs], list[str]]:
    """Return what a file holds, and one sentence for each broken line."""
    found: dict[Key, Pairs] = {}
    broken = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        try:
            content = json.loads(line)
            key: Key = tuple(content["key"])
            found[key] = Pairs(key, content["version"], content["ratios"], content["cpu"])
        except (ValueError, KeyError, TypeError) as error:
            broken.append(f"{path}, line {number} holds no pairs and is left out ({error!r}).")
    return found, broken


def write(path: Path, found: Iterable[Pairs]) -> None:
    """Write a file of pairs to a temporary name and move it into place."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".saving-") as folder:
        temporary = Path(folder, path.name)
        lines = (json.dumps(vars(pairs)) + "\n" for pairs in found)
        temporary.write_text("".join(lines), encoding="utf-8")
        temporary.replace(path)


def merged(old: Pairs | None, new: Pairs) -> Pairs:
    """Return the processes of both, if they ran the same version of the benchmark."""
    if old is None or old.version != new.version:
        return new
    ratios = {name: [*old.ratios.get(name, []), *found] for name, found in new.ratios.items()}
    return Pairs(new.key, new.version, ratios, [*old.cpu, *new.cpu])


def _short(value: float) -> float:
    return float(f"{value:.4g}")
