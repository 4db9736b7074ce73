"""Outcome records: JSON Lines beside asv's results, because asv keeps no reasons.

``results/<machine>/<commit>-<environment>.outcomes.jsonl`` lies beside asv's file of the
same stem. The ending is not ``.json``, which asv would read as a result of its own.
"""

import os
import platform
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from persistbench import files
from persistbench.outcomes import Outcome, Verdict
from persistbench.records import jsonl, libraries
from persistbench.records import run as runs
from persistbench.records.run import Run


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a cell.

    Attributes:
        cell: the key of the record: pipeline, backend, access and question.
        digest: changes with the cell, its file system and the verdict; empty where asv's own
            process wrote the record.
        pipeline: name of the pipeline.
        backend: id of the backend.
        access: how the artifact is opened.
        question: the only question that the record concerns; empty for all of the cell's.
        status: how the cell is shown.
        outcome: what happened.
        reason: why; empty for ``same``.
        blame: whose fault it is: ``pipeline``, ``backend``, ``check`` or ``machine``; empty for
            ``same``, and where nobody recorded it.
        uncompared: what was not compared, each with the reason.
        label_changes: held-out rows whose prediction changed; None where nothing was predicted.
        date: UTC.
        environment: asv's name of it.
        os: name and release of the operating system.
        file_system: of the artifacts.
        run: name of the run; see :class:`persistbench.records.run.Run`.
        cores: of the machine.
        python: version.
        libraries: versions by distribution.
    """

    cell: str = ""
    digest: str = msgspec.field(name="found", default="")
    pipeline: str
    backend: str
    access: Literal["load", "map"]
    question: str
    status: Literal["ok", "n/a", "failed"]
    outcome: Outcome
    reason: str
    blame: str = ""
    uncompared: tuple[str, ...] = ()
    label_changes: int | None = None
    date: str = ""
    environment: str = ""
    os: str = ""
    file_system: str = ""
    run: str = ""
    cores: int | None = None
    python: str = ""
    libraries: dict[str, str] = {}


class _Pipeline(Protocol):
    @property
    def name(self) -> str: ...


class _Backend(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def requires(self) -> tuple[str, ...]: ...


class Examined(Protocol):
    """What a verdict is of: see :class:`persistbench.cells.cell.Cell`."""

    @property
    def pipeline(self) -> _Pipeline:
        """What was saved."""

    @property
    def backend(self) -> _Backend:
        """How it was saved."""

    @property
    def mapped(self) -> bool:
        """Whether the artifact is memory-mapped."""

    @property
    def key(self) -> str:
        """Changes with everything that decides the verdict."""


def read(path: Path) -> tuple[list[Record], list[str]]:
    """Return the records of a file, oldest first, and what was left out of it.

    Args:
        path: of the file; where there is none, there are no records.
    """
    return jsonl.read_typed(path, _DECODER.decode) if path.is_file() else ([], [])


_DECODER = msgspec.json.Decoder(Record)


def keep(cell: Examined, verdict: Verdict, question: str = "") -> None:
    """Append a verdict to the record file of this run, unless it is already the last word.

    Args:
        cell: what was examined.
        verdict: on the cell.
        question: the only question that the verdict concerns, such as
            ``map_first_predict``; empty for all of the cell's.

    Outside a run (asv was told not to save) nothing is written.
    """
    run = runs.current()
    if run is None:
        return
    from persistbench.system.file_system import file_system  # psutil is not everywhere that asv is

    own = file_system(Path(tempfile.gettempdir()))
    # A failure is said again by every run; what is the same or refused, once for all.
    said_by = run.began if status(verdict) == "failed" else ""
    said = (verdict.outcome, verdict.reason, verdict.blame or "", *verdict.uncompared)
    result = files.digest(cell.key, own, *said, said_by)
    last = _last_word(run, _key(cell, question))
    if last is not None and last.digest == result:
        return
    names = {*libraries.LIBRARIES, *cell.backend.requires}
    record = Record(
        cell=_key(cell, question),
        digest=result,
        pipeline=cell.pipeline.name,
        backend=cell.backend.id,
        access="map" if cell.mapped else "load",
        question=question,
        status=status(verdict),
        outcome=verdict.outcome,
        reason=verdict.reason,
        blame=verdict.blame or "",
        uncompared=verdict.uncompared,
        label_changes=verdict.label_changes,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=os.environ.get("ASV_ENV_NAME", ""),
        os=f"{platform.system()} {platform.release()}",
        file_system=own,
        run=run.began,
        cores=os.cpu_count(),
        python=platform.python_version(),
        libraries=libraries.versions(names) | {"asv": run.asv},
    )
    append(run, record)


def append(run: Run, record: Record) -> None:
    """Append a record to the record file of a run, where it is the last word of its key.

    Args:
        run: the run of this process.
        record: what is appended.
    """
    words = _last_words(run)
    jsonl.append(run.outcomes, [record])
    files.publish(words / files.digest(record.cell), jsonl.line(record))


def withdraw(cell: Examined, question: str) -> None:
    """Record that a failure of an earlier run, of this question alone, is over."""
    run = runs.current()
    if run is not None:
        last = _last_word(run, _key(cell, question))
        if last is not None and last.status == "failed" and last.run != run.began:
            keep(cell, Verdict(Outcome.SAME), question)


def status(verdict: Verdict) -> Literal["ok", "n/a", "failed"]:
    """Return how a cell with this verdict is shown: ``ok``, ``n/a`` or ``failed``."""
    if verdict.same:
        return "ok"
    return "n/a" if verdict.refused else "failed"


def _key(cell: Examined, question: str) -> str:
    access = "map" if cell.mapped else "load"
    return f"{cell.pipeline.name}/{cell.backend.id}/{access}/{question}"


def _last_word(run: Run, key: str) -> Record | None:
    """Return the newest record of a key, if there is one."""
    path = _last_words(run) / files.digest(key)
    return _DECODER.decode(path.read_bytes()) if path.is_file() else None


def _last_words(run: Run) -> Path:
    """Return the folder of the newest records, a file for each key.

    The first process of a run that asks makes it out of all records; thousands of processes
    after it read one small file each.
    """
    folder = run.folder / "last-words"
    if not folder.is_dir():
        draft = Path(tempfile.mkdtemp(dir=run.folder))
        for key, record in {record.cell: record for record in read(run.outcomes)[0]}.items():
            (draft / files.digest(key)).write_bytes(jsonl.line(record))
        try:
            draft.rename(folder)
        except OSError:  # another process was quicker
            shutil.rmtree(draft)
    return folder
