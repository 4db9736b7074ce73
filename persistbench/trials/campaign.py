"""Runs trials on all cores, or on a cluster, and keeps their records: none is lost, none is twice.

Each trial has a key. Its record is a line of JSON, appended as a whole when the trial has ended.
A campaign that starts again leaves out every trial whose key has a record.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from persistbench import files, sandbox
from persistbench.cells import claims
from persistbench.records import jsonl
from persistbench.trials import processes
from persistbench.trials.trial import Record, Task


def run(
    tasks: Sequence[Task],
    path: Callable[[], Path],
    step: Callable[[int, int], None],
    warn: Callable[[str], None],
    scheduler: str | None = None,
) -> list[Record]:
    """Make the trials that have no record yet; return the records of all trials.

    Args:
        tasks: all trials.
        path: returns the file of records; called when all is ready to begin.
        step: is called with how many trials are done, and of how many.
        warn: is called with a sentence for each broken line, whose trial is made again.
        scheduler: address of a Dask cluster; None for the cores of this machine.

    Raises:
        UserError: the scheduler does not answer, and nothing has been changed; or processes or
            the cluster have gone, and what was done is kept.
    """
    trials = [one for task in tasks for one in task.trials]
    keys = {one.key for one in trials}
    sandbox.sweep()
    with processes.started(scheduler) as parallel:
        file = path()
        claims.keep_tried(file, {one.backend for one in trials}, {one.subject for one in trials})
        known = _known(file, warn)
        left = [task.without(known) for task in tasks]
        left = [task for task in left if task.trials]
        done = len(keys & known.keys())
        step(done, len(keys))
        for result in parallel(left):
            append(file, result)
            known |= {record["key"]: record for record in result}
            done += len(result)
            step(done, len(keys))
    return [known[key] for key in sorted(keys & known.keys())]


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


def append(path: Path, records: Iterable[Record]) -> None:
    """Append records in one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path) as file:
        lines = _lines(records)
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            lines = lines if file.read() == b"\n" else b"\n" + lines  # after one that is cut off
        file.write(lines)
        file.flush()


def _lines(records: Iterable[Record]) -> bytes:
    return b"".join(map(jsonl.line, records))


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
