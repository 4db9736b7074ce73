"""One run of the suite: the folder that its processes share, and the variable that names it.

asv starts a process for each cell and question. What they have to know of the run lies in the
folder: when it began, where outcome records go, which cells are examined in advance. What they
find out for each other lies there, too: rows of paired calls, notes of their pace, answers that
several questions share.
"""

import json
import math
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

VARIABLE = "PERSISTBENCH_RUN"
"""Environment variable: the folder of the run; unset if asv was told not to save."""

MINUTES = 12.0
"""So long a run measures, unless it is told otherwise. Its first round is always finished."""

_FILE = "run.json"

_SPENT = "spent.csv"
_ROUND = "round.txt"
_WAITING = "waiting.csv"

TELLING = "telling.txt"
"""The file in the folder of a run that says what is being asked."""


class Cells(NamedTuple):
    """Every pipeline by every backend of these names."""

    pipelines: Sequence[str] = ()
    backends: Sequence[str] = ()


@dataclass(frozen=True)
class Run:
    """What the processes of a run know of it.

    Attributes:
        folder: private to this user; removed when the run is over.
        began: date and time, UTC; the name of the run in records.
        outcomes: the file that outcome records are appended to.
        asv: the version of asv, which is not installed in the environments that it makes.
        in_advance: the cells that are examined before anything is measured.
        until: when the budget is spent, on the system's monotonic clock in seconds; infinite
            without a budget.
        page: whether the page is written after each round.
    """

    folder: Path
    began: str
    outcomes: Path
    asv: str
    in_advance: Cells
    until: float = math.inf
    page: bool = False

    @property
    def pairs(self) -> Path:
        """The file of the paired calls that are stored."""
        return self.outcomes.with_name(self.outcomes.name.replace(".outcomes.", ".pairs."))

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return time.monotonic() > self.until

    def ask(self, question: str, cells: Iterable[tuple[str, str]]) -> None:
        """Say which cells are asked next, for those that measure them side by side.

        Args:
            question: that they are asked.
            cells: pipeline and backend of each.
        """
        (self.folder / f"{question}.asked").write_text(json.dumps(list(cells)), encoding="utf-8")

    def asked(self, question: str) -> list[tuple[str, str]]:
        """Return pipeline and backend of the cells that are asked next."""
        path = self.folder / f"{question}.asked"
        return [tuple(names) for names in json.loads(path.read_text())] if path.is_file() else []

    @property
    def round(self) -> int:
        """The number of the round, counted from 1; 0 if nobody counts."""
        path = self.folder / _ROUND
        return int(path.read_text()) if path.is_file() else 0

    def begin_round(self, number: int) -> None:
        """Say that a round begins.

        Args:
            number: counted from 1.
        """
        (self.folder / _ROUND).write_text(str(number))

    def wait(self, key: Sequence[str]) -> None:
        """Say that a cell is measured in a later round; it is n/a in this one.

        Args:
            key: question, pipeline and backend.
        """
        with (self.folder / _WAITING).open("a", encoding="utf-8") as file:
            file.write(json.dumps(list(key)) + "\n")

    def waiting(self) -> set[tuple[str, ...]]:
        """Return the keys of the cells that have said so."""
        path = self.folder / _WAITING
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        return {tuple(json.loads(line)) for line in lines}

    def spend(self, timed: float, processes: float) -> None:
        """Note what first calls have cost.

        Args:
            timed: seconds inside timed calls.
            processes: seconds that their processes took, the timed calls included.
        """
        with (self.folder / _SPENT).open("a") as file:
            file.write(json.dumps([timed, processes]) + "\n")

    def spent(self) -> tuple[float, float]:
        """Return what first calls have cost so far, as :meth:`spend` takes it."""
        path = self.folder / _SPENT
        lines = path.read_text().splitlines() if path.is_file() else []
        timed, processes = zip(*map(json.loads, lines), strict=True) if lines else ((), ())
        return sum(timed), sum(processes)

    def tell(self, what: str) -> None:
        """Say what is being asked, for whoever watches the run."""
        (self.folder / TELLING).write_text(what, encoding="utf-8")


def current() -> Run | None:
    """Return the run that this process belongs to, if any."""
    record = _record()
    if record.get("began") is None:  # announced, and not begun
        return None
    folder, outcomes = Path(os.environ[VARIABLE]), Path(record["outcomes"])
    facts = (record["asv"], _cells(record), record["until"], record["page"])
    return Run(folder, record["began"], outcomes, *facts)


def began() -> str | None:
    """Return the name of the run that this process belongs to, if any."""
    run = current()
    return run.began if run else None


class Announced(NamedTuple):
    """What a run is going to do.

    Attributes:
        in_advance: the cells that are examined before anything is measured.
        until: see :class:`Run`.
        page: likewise.
    """

    in_advance: Cells = Cells()
    until: float = math.inf
    page: bool = False


def begin(outcomes: Path, asv: str, usual: Announced | None = None) -> Path:
    """Make the folder of a run that begins now.

    Args:
        outcomes: the file that outcome records are appended to.
        asv: the version of asv.
        usual: what the run does if nobody has announced it.

    Returns:
        The folder: the value of :data:`VARIABLE` for the processes of the run. The caller removes
        the folder when the run is over.
    """
    facts = {"began": datetime.now(UTC).isoformat(), "outcomes": str(outcomes), "asv": asv}
    folder = Path(tempfile.mkdtemp(prefix="persistbench-run-"))
    _write(folder, (announcement() or usual or Announced())._asdict() | facts)
    return folder


def announcement() -> Announced | None:
    """Return what was announced of the runs that are going to begin, if anything."""
    record = _record()
    if not record:
        return None
    return Announced(_cells(record), record["until"], record["page"])


@contextmanager
def announced(runs: Announced) -> Iterator[dict[str, str]]:
    """Give the environment variables of a process that is going to begin runs.

    asv begins one run for each of its environments, and each run is as it was announced.

    Args:
        runs: what they are going to do.
    """
    with tempfile.TemporaryDirectory(prefix="persistbench-run-") as folder:
        _write(Path(folder), runs._asdict())
        yield {VARIABLE: folder}


def _record() -> dict[str, Any]:
    """Return what was written into the folder of the run; nothing outside a run."""
    path = Path(os.environ.get(VARIABLE) or os.devnull, _FILE)
    record: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return record


def _write(folder: Path, record: dict[str, Any]) -> None:
    (folder / _FILE).write_text(json.dumps(record), encoding="utf-8")


def _cells(record: dict[str, Any]) -> Cells:
    pipelines, backends = record.get("in_advance", Cells())
    return Cells(tuple(pipelines), tuple(backends))
