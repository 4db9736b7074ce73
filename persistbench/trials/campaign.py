"""Runs trials on all cores, or on a cluster, and keeps what was found: nothing lost, nothing twice.

Each trial has a key. Its record is a line of JSON, appended as a whole when the trial has ended;
a campaign that starts again leaves out every trial whose key has a record.
"""

import asyncio
import contextlib
import json
import logging
import os
import platform
import queue
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from persistbench import backends, records, store
from persistbench.errors import UserError, unknown
from persistbench.outcomes import Verdict
from persistbench.trials import sandbox

Record = dict[str, Any]

SCHEDULER_SECONDS = 4.0
"""So long a scheduler has to answer, and a first worker of it to be there."""

SILENCE_SECONDS = 1800.0
"""A cluster from which nothing has come for so long is given up."""

_LIBRARIES = ("numpy", "scipy", "scikit-learn")
"""What decides outcomes, beside what a backend requires."""


@dataclass(frozen=True)
class Trial:
    """One question, whose answer is one record.

    Attributes:
        kind: the kind of trial, such as ``survival``.
        subject: what is saved.
        backend: the id of what saves it.
        place: a second circumstance, where the kind has one.
        key: changes with everything that decides the answer; see :func:`trial`.
    """

    kind: str
    subject: str
    backend: str
    place: str | None
    key: str

    def record(self, verdict: Verdict, **facts: Any) -> Record:
        """Return the record: the fields that all trials share, then those of this kind."""
        place = {} if self.place is None else {"place": self.place}
        return {
            "key": self.key,
            "trial": self.kind,
            "subject": self.subject,
            "backend": self.backend,
            **place,
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
    place: str | None = None,
    made_of: str = "",
) -> Trial:
    """Return a trial.

    Args:
        kind: see :class:`Trial`, as for the other names.
        version: of what is tried; whoever changes that raises it, and all is tried again.
        subject: likewise.
        backend_id: likewise.
        place: likewise.
        made_of: what else decides the outcome, such as a pipeline's key.
    """
    names = [kind, subject, backend_id, *([place] if place else [])]
    made_with = _made_with(backend_id, version)
    if made_of:
        made_with = store.digest(made_with, made_of)
    return Trial(kind, subject, backend_id, place, f"{'/'.join(names)}/{made_with}")


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
    found = [known[one] for one in dict.fromkeys(backend_ids)] or known.values()
    return [backend for backend in found if backend.claims.returns != "bytes"]


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
    with _processes(scheduler) as parallel:
        file = path()
        known = _known(file, warn)
        left = [task.without(known) for task in tasks]
        left = [task for task in left if task.trials]
        done = len(asked & known.keys())
        step(done, len(asked))
        for found in parallel(left):
            _append(file, found)
            known |= {record["key"]: record for record in found}
            done += len(found)
            step(done, len(asked))
    return [known[key] for key in sorted(asked & known.keys())]


def _known(path: Path, warn: Callable[[str], None]) -> dict[str, Record]:
    """Return the newest record of each key; lines that are broken are taken out of the file."""
    if not path.is_file():
        return {}
    with _alone(path):
        found, broken = records.read(path)
        for sentence in broken:
            warn(f"{sentence} Its trial is made again.")
        if broken:
            with store.replacing(path) as temporary:
                temporary.write_bytes(_lines(found))
                temporary.chmod(0o644)
    return {record["key"]: record for record in found if "key" in record}


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


@contextmanager
def _processes(
    scheduler: str | None,
) -> Iterator[Callable[[Sequence[Task]], Iterator[list[Record]]]]:
    """Give what makes tasks at once and yields their records as they come."""
    import joblib

    with contextlib.ExitStack() as stack:
        client = None
        if scheduler is not None:
            logging.disable(logging.CRITICAL)  # Dask logs tracebacks; here a sentence says it
            stack.callback(logging.disable, logging.NOTSET)
            client = stack.enter_context(_client(scheduler))
            stack.enter_context(joblib.parallel_config(backend=_dask_backend(client)))
        # joblib warns when it is stopped before all has come, which is what Ctrl-C is for.
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(_quiet_stop())
        # One task in each message: what is done is told at once. All are handed out: workers
        # that join a cluster later find some.
        run_all = joblib.Parallel(
            n_jobs=-1, batch_size=1, pre_dispatch="all", return_as="generator_unordered"
        )

        if client is None:
            _start_processes()

        def parallel(tasks: Sequence[Task]) -> Iterator[list[Record]]:
            found = run_all(joblib.delayed(_made_for)(os.getpid(), task) for task in tasks)
            return found if client is None else _watched(found, client, str(scheduler))

        try:
            yield parallel
        except BrokenExecutor as error:
            raise UserError(
                "A process was killed from outside, perhaps for want of memory: what was done is "
                "kept, and the same command makes the rest."
            ) from error


@contextmanager
def _quiet_stop() -> Iterator[None]:
    """Let loky's thread say nothing of work that joblib withdraws while it is handed out.

    That is what Ctrl-C does; the thread then misses it (KeyError), and is ended all the same.
    """
    usual = threading.excepthook

    def tell(failure: threading.ExceptHookArgs) -> None:
        name = failure.thread.name if failure.thread else ""
        if not (name == "ExecutorManagerThread" and failure.exc_type is KeyError):
            usual(failure)

    threading.excepthook = tell
    try:
        yield
    finally:
        threading.excepthook = usual


def _dask_backend(client: Any) -> Any:
    """Return joblib's Dask backend, which sends tasks to a cluster of one thread, too."""
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):  # type: ignore[misc]
        def effective_n_jobs(self, n_jobs: int) -> int:
            # A single job joblib would run in this process.
            return max(2, int(super().effective_n_jobs(n_jobs)))

    return Backend(client=client)


def _start_processes() -> None:
    """Start joblib's processes so that they ignore Ctrl-C: it is this one's, which ends them."""
    import joblib

    if threading.current_thread() is not threading.main_thread():
        return  # signals are the main thread's
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        joblib.Parallel(n_jobs=-1)(joblib.delayed(os.getpid)() for _ in range(joblib.cpu_count()))
    finally:
        signal.signal(signal.SIGINT, before)


def _made_for(campaign: int, task: Task) -> list[Record]:
    """Make the trials of a task in a process that ends when the campaign's process is killed."""
    if os.getppid() == campaign:
        _end_with(campaign)
    return task()


@cache
def _end_with(parent: int) -> None:
    """End this process soon after its parent, and with it the children of its fork server."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _client(scheduler: str) -> Any:
    """Return a client of a Dask cluster that can make our trials.

    Raises:
        UserError: it does not answer, has no workers, or other libraries than this process.
    """
    try:
        from distributed import Client
        from distributed.comm import connect
    except ModuleNotFoundError as error:
        raise UserError('A scheduler needs Dask: `pip install "persistbench[cluster]"`.') from error
    try:
        # Not by a Client: one that has failed once says so again when it is collected.
        asyncio.run(asyncio.wait_for(connect(scheduler), SCHEDULER_SECONDS)).abort()
        client = Client(scheduler, timeout=SCHEDULER_SECONDS, set_as_default=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"The scheduler {scheduler!r} does not answer: start one with `dask scheduler` and "
            "give its address, or leave --scheduler."
        ) from error
    try:
        client.wait_for_workers(1, timeout=SCHEDULER_SECONDS - 1)
        there = client.run(environment)
    except TimeoutError as error:
        client.close()
        raise UserError(
            f"The scheduler {scheduler} has no workers: start some with `dask worker {scheduler}`."
        ) from error
    except Exception as error:
        client.close()
        raise UserError(
            f"The workers of {scheduler} cannot run trials ({error}): install persistbench there."
        ) from error
    others = sorted(address for address, found in there.items() if found != environment())
    if others:
        client.close()
        raise UserError(
            f"The worker {others[0]} has other versions of Python or libraries than this process: "
            "install the same there, or run persistbench there."
        )
    return client


def _watched(found: Iterator[list[Record]], client: Any, scheduler: str) -> Iterator[list[Record]]:
    """Yield what comes, and look in between whether the cluster is still there.

    joblib itself would wait for ever: it is not told of tasks that Dask gives up.
    """
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def take() -> None:
        try:
            for one in found:
                arrived.put(one)
            arrived.put(None)
        except BaseException as error:
            arrived.put(error)

    threading.Thread(target=take, daemon=True).start()
    last = time.monotonic()
    while True:
        try:
            one = arrived.get(timeout=0.5)
        except queue.Empty:
            if client.status == "running" and time.monotonic() - last < SILENCE_SECONDS:
                continue
            one = TimeoutError()
        if one is None:
            return
        if isinstance(one, TimeoutError) or type(one).__module__.startswith("distributed"):
            raise UserError(
                f"The cluster of {scheduler} has gone or is stuck: what was done is kept, and the "
                "same command makes the rest."
            ) from one
        if isinstance(one, BaseException):
            raise one
        last = time.monotonic()
        yield one


def environment() -> dict[str, str]:
    """Return the versions of Python and of every library that some backend requires."""
    needed = {name for backend in backends.discover().values() for name in backend.requires}
    return {"python": platform.python_version(), **records.versions({*_LIBRARIES, *needed})}


@cache
def _versions(backend_id: str) -> dict[str, str]:
    return records.versions({*_LIBRARIES, *backends.for_trials()[backend_id].requires})


@cache
def _made_with(backend_id: str, version: int) -> str:
    """Return a digest of what decides an outcome: versions, and the backend's own source."""
    libraries = json.dumps(_versions(backend_id))
    return store.digest(
        str(version),
        platform.python_version(),
        libraries,
        *backends.sources(backends.for_trials()[backend_id]),
    )
