"""One run of the suite: the folder that its processes share, and the variable that names it.

asv starts a process for each cell and question. What they have to know of the run lies in the
folder: when it began, where outcome records go, which cells are examined in advance. What they
find out for each other lies there, too: rows of paired calls, notes of their pace, answers that
several questions share.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

VARIABLE = "PERSISTBENCH_RUN"
"""Environment variable: the folder of the run; unset if asv was told not to save."""

_FILE = "run.json"


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
    """

    folder: Path
    began: str
    outcomes: Path
    asv: str
    in_advance: Cells


def current() -> Run | None:
    """Return the run that this process belongs to, if any."""
    record = _record()
    if record.get("began") is None:  # announced, and not begun
        return None
    folder, outcomes = Path(os.environ[VARIABLE]), Path(record["outcomes"])
    return Run(folder, record["began"], outcomes, record["asv"], _cells(record))


def began() -> str | None:
    """Return the name of the run that this process belongs to, if any."""
    run = current()
    return run.began if run else None


def begin(outcomes: Path, asv: str) -> Path:
    """Make the folder of a run that begins now.

    Args:
        outcomes: the file that outcome records are appended to.
        asv: the version of asv.

    Returns:
        The folder: the value of :data:`VARIABLE` for the processes of the run. The caller removes
        the folder when the run is over.
    """
    facts = {"began": datetime.now(UTC).isoformat(), "outcomes": str(outcomes), "asv": asv}
    folder = Path(tempfile.mkdtemp(prefix="persistbench-run-"))
    _write(folder, {"in_advance": _cells(_record())} | facts)
    return folder


@contextmanager
def announced(cells: Cells) -> Iterator[dict[str, str]]:
    """Give the environment variables of a process that is going to begin runs.

    asv begins one run for each of its environments, and each run examines these cells.

    Args:
        cells: which are examined in advance.
    """
    with tempfile.TemporaryDirectory(prefix="persistbench-run-") as folder:
        _write(Path(folder), {"in_advance": cells})
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
