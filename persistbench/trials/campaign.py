"""Runs trials on all cores, or on a cluster, and keeps what was found: nothing lost, nothing twice.

Each trial has a key. Its record is a line of JSON, appended as a whole when the trial has ended;
a campaign that starts again leaves out every trial whose key has a record.
"""

import contextlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from persistbench import backends, files, sandbox
from persistbench.errors import UserError, unknown
from persistbench.outcomes import Verdict
from persistbench.records import jsonl, libraries
from persistbench.trials import processes

Record = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One question, whose answer is one record.

    Attributes:
        kind: the kind of trial, such as ``survival``.
        subject: what is saved.
        backend: the id of what saves it.
        condition: a second circumstance, where the kind has one.
        key: changes with everything that decides the answer; see :func:`trial`.
    """

    kind: str
    subject: str
    backend: str
    condition: str | None
    key: str

    def record(self, verdict: Verdict, **facts: Any) -> Record:
        """Return the record: the fields that all trials share, then those of this kind."""
        condition = {} if self.condition is None else {"place": self.condition}
        return {
            "key": self.key,
            "trial": self.kind,
            "subject": self.subject,
            "backend": self.backend,
            **condition,
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            **facts,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "os": f"{platform.system()} {platform.release()}",
            "libraries": _versions(self.backend),
        }


def trial(
    kind: str,
    version: int,
    subject: str,
    backend_id: str,
    condition: str | None = None,
    made_of: str = "",
) -> Trial:
    """Return a trial.

    Args:
        kind: see :class:`Trial`, as for the other names.
        version: of what is tried; whoever changes that raises it, and all is tried again.
        subject: likewise.
        backend_id: likewise.
        condition: likewise.
        made_of: what else decides the outcome, such as a pipeline's key.
    """
    names = [kind, subject, backend_id, *([condition] if condition else [])]
    made_with = _made_with(backend_id, version)
    if made_of:
        made_with = files.digest(made_with, made_of)
    return Trial(kind, subject, backend_id, condition, f"{'/'.join(names)}/{made_with}")


def chosen(
    backend_ids: Sequence[str], known: Mapping[str, backends.Backend] | None = None
) -> list[backends.Backend]:
    """Return the backends with these ids, or all, without those that save no estimator.

    Args:
        backend_ids: empty for all.
        known: by id; None for those that a user may choose.

    Raises:
        UserError: there is no such backend, or it saves no estimator.
    """
    known = backends.discover() if known is None else known
    for one in backend_ids:
        if one not in known:
            raise UserError(unknown("backend", one, list(known)))
        if known[one].claims.returns == "bytes":
            raise UserError(f"{one} saves bytes and no estimator: choose another backend to try.")
    result = [known[one] for one in dict.fromkeys(backend_ids)] or known.values()
    return [backend for backend in result if backend.claims.returns != "bytes"]


@dataclass(frozen=True)
class Task:
    """Trials that are made together, because they share what is dear.

    Attributes:
        trials: what is asked for.
        make: returns their records; it is sent to another process.
    """

    trials: tuple[Trial, ...]
    make: Callable[[tuple[Trial, ...]], list[Record]]

    def without(self, known: Iterable[str]) -> "Task":
        """Return what is left of it."""
        return Task(tuple(one for one in self.trials if one.key not in known), self.make)

    def __call__(self) -> list[Record]:
        """Make the trials."""
        return self.make(self.trials)


def run(
    tasks: Sequence[Task],
    path: Callable[[], Path],
    step: Callable[[int, int], None],
    warn: Callable[[str], None],
    scheduler: str | None = None,
) -> list[Record]:
    """Make the trials that have no record yet; return the records of all that were asked for.

    Args:
        tasks: what is asked for.
        path: tells the file of records; asked when all is ready to begin.
        step: is called with how many trials are done, and of how many.
        warn: is called with a sentence for each broken line, whose trial is made again.
        scheduler: address of a Dask cluster; None for the cores of this machine.

    Raises:
        UserError: the scheduler does not answer, and nothing has been changed; or processes or
            the cluster have gone, and what was done is kept.
    """
    asked = {one.key for task in tasks for one in task.trials}
    sandbox.sweep()
    with processes.started(scheduler) as parallel:
        file = path()
        known = _known(file, warn)
        left = [task.without(known) for task in tasks]
        left = [task for task in left if task.trials]
        done = len(asked & known.keys())
        step(done, len(asked))
        for result in parallel(left):
            _append(file, result)
            known |= {record["key"]: record for record in result}
            done += len(result)
            step(done, len(asked))
    return [known[key] for key in sorted(asked & known.keys())]


def _known(path: Path, warn: Callable[[str], None]) -> dict[str, Record]:
    """Return the newest record of each key; lines that are broken are taken out of the file."""
    if not path.is_file():
        return {}
    with _alone(path):
        result, broken = jsonl.read(path)
        for sentence in broken:
            warn(f"{sentence} Its trial is made again.")
        if broken:
            files.publish(path, _lines(result))
    return {record["key"]: record for record in result if "key" in record}


def _append(path: Path, found: Iterable[Record]) -> None:
    """Append records in one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path) as file:
        lines = _lines(found)
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            lines = lines if file.read() == b"\n" else b"\n" + lines  # after one that is cut off
        file.write(lines)
        file.flush()


def _lines(found: Iterable[Record]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in found).encode()


@contextmanager
def _alone(path: Path) -> Iterator[BinaryIO]:
    """Open a file for appending and let no other campaign into it meanwhile."""
    while True:
        with path.open("a+b") as file:
            try:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
            except ModuleNotFoundError:  # Windows
                yield file
                return
            with contextlib.suppress(FileNotFoundError):
                # Another campaign may have put a mended file in its place while this one waited.
                if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                    yield file
                    return


@cache
def _versions(backend_id: str) -> dict[str, str]:
    return libraries.versions({*processes.LIBRARIES, *backends.for_trials()[backend_id].requires})


@cache
def _made_with(backend_id: str, version: int) -> str:
    """Return a digest of what decides an outcome: versions, and the backend's own source."""
    libraries = json.dumps(_versions(backend_id))
    return files.digest(
        str(version),
        platform.python_version(),
        libraries,
        *backends.sources(backends.for_trials()[backend_id]),
    )
