"""Runs a function in a child process with limits, so that a crash or a hang is an outcome.

The child may be hostile: an artifact has been loaded in it. It has a folder of its own, which is
removed; what it starts is killed with it; and what it sends is read as facts, not as objects that
could do something here.
"""

import contextlib
import io
import multiprocessing
import multiprocessing.process
import os
import pickle
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from enum import Enum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import psutil

from persistbench.outcomes import Blame, Outcome, Verdict, explain
from persistbench.sandbox import orphans
from persistbench.sandbox.child import Limits, size, work

__all__ = [
    "DeadError",
    "Limits",
    "answers",
    "context",
    "folder",
    "fork_from_here",
    "forking",
    "preload",
    "run",
    "sweep",
]

LARGEST_ANSWER = 64 * 10**6
"""Bytes; what a child sends beyond is not read."""

_methods = multiprocessing.get_all_start_methods()
_context: Any = multiprocessing.get_context("forkserver" if "forkserver" in _methods else "spawn")
_preloaded = ["persistbench.sandbox.warm"]


def context() -> Any:
    """Return multiprocessing's context for children that compute.

    They must not be forked from a process that has computed: the pool of OpenMP's threads is
    not there after the fork, and the first parallel region waits for it for ever (gcc's
    libgomp says so: https://gcc.gnu.org/bugzilla/show_bug.cgi?id=58378) or crashes. So they come
    from multiprocessing's fork server, which has only imported.
    """
    if _context.get_start_method() == "forkserver":
        _context.set_forkserver_preload(_preloaded)
    return _context


def preload(module: str) -> None:
    """Let the fork server import this module, too; in time only before the first child.

    Later it is each child that imports it: slower, and no less right.
    """
    if module not in _preloaded:
        _preloaded.append(module)


def fork_from_here() -> None:
    """Let children be forked from this process, which is cheaper: it must not have computed.

    Elsewhere than on Linux forking is not safe or not there, and nothing changes.
    """
    global _context
    if sys.platform == "linux":
        _context = multiprocessing.get_context("fork")


@contextmanager
def forking() -> Iterator[None]:
    """Let children be forked from this process within a block, as :func:`fork_from_here` does."""
    global _context
    usual = _context
    fork_from_here()
    try:
        yield
    finally:
        _context = usual


class DeadError(Exception):
    """A child has died, or was killed, before it had given all its answers.

    Attributes:
        verdict: a ``crash`` or a ``timeout``.
    """

    def __init__(self, verdict: Verdict) -> None:
        """Take the verdict."""
        super().__init__(verdict.reason)
        self.verdict = verdict


def run(function: Callable[..., Verdict], *arguments: Any, limits: Limits) -> Verdict:
    """Return the verdict that the function returns in a child process.

    A child that dies is a ``crash`` with its signal or exit status; one that takes
    longer than it may is killed: a ``timeout``.
    """
    try:
        (verdict,) = answers(_once, function, *arguments, limits=limits)
    except DeadError as death:
        return death.verdict
    return cast(Verdict, verdict)


def answers(
    function: Callable[..., Iterator[Any]], *arguments: Any, limits: Limits
) -> Generator[Any, None, None]:
    """Yield what a generator function yields in a child process, as it comes.

    Answers are numbers, texts, lists and dicts of such, dataclasses and members of enums.

    Raises:
        DeadError: the child has died, or was killed because it took too much of something, or
            what it has sent is no answer.
    """
    with folder() as own:
        died = yield from _answers(own, limits, function, arguments)
    if died is not None:
        raise DeadError(died)


def _answers(
    own: Path, limits: Limits, function: Callable[..., Iterator[Any]], arguments: Any
) -> Generator[Any, None, Verdict | None]:
    """Yield the answers of a child that works in this folder; return how it died, or None."""
    receiving, sending = context().Pipe(duplex=False)
    task = (sending, dict(os.environ), str(own), limits, function, arguments)
    method = _context.get_start_method()
    if method == "fork":
        orphans.adopt()
    before = orphans.children(orphans.mother(method))
    child = context().Process(target=work, args=task)
    try:
        _start(child)
    except _NO_SERVER as error:
        reason = f"no child process can be started: {explain(error)}"
        return Verdict(Outcome.CRASH, reason, fault=Blame.MACHINE)
    sending.close()
    arrived: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(receiving, arrived), daemon=True)
    reader.start()
    try:
        while True:
            message = _next(arrived, child, own, limits)
            if isinstance(message, Verdict):
                return message
            try:
                ended, answer = _Answer(io.BytesIO(message)).load()
            except Exception:
                return Verdict(Outcome.CRASH, "the process has sent what is no answer")
            if ended:
                return answer if isinstance(answer, Verdict) else None
            yield answer
    finally:
        child.kill()  # it has answered, and may still hang at exit
        orphans.kill_session(child.pid)
        child.join()
        _living.discard(child.pid)
        orphans.kill_orphans(lambda: before | _living, orphans.mother(method))
        reader.join()
        receiving.close()


def _read(receiving: Connection, arrived: "queue.SimpleQueue[bytes | BaseException]") -> None:
    """Put messages into the queue as they come, and last why there are no more."""
    try:
        while True:
            arrived.put(receiving.recv_bytes(LARGEST_ANSWER))
    except (EOFError, OSError) as error:
        arrived.put(error)


def _next(
    arrived: "queue.SimpleQueue[bytes | BaseException]", child: Any, own: Path, limits: Limits
) -> bytes | Verdict:
    """Return the next message, or the verdict on a child from which none will come."""
    deadline = time.monotonic() + limits.seconds
    while True:
        left = deadline - time.monotonic()
        try:
            message = arrived.get(timeout=max(0.0, min(left, LOOK_SECONDS)))
        except queue.Empty:
            if left <= 0:
                return Verdict(Outcome.TIMEOUT, f"not finished after {limits.seconds:g} s")
            if excess := _excess(child, own, limits):
                return Verdict(Outcome.CRASH, excess)
            if child.is_alive():
                continue
            try:
                # Its last words may still be on their way: the thread that reads them is slow
                # on a busy machine.
                message = arrived.get(timeout=_DYING_SECONDS)
            except queue.Empty:  # what it has started holds its end of the pipe open
                message = EOFError()
        if isinstance(message, bytes):
            return message
        if not isinstance(message, EOFError):
            return Verdict(Outcome.CRASH, "the process has sent what is no answer")
        child.join(_DYING_SECONDS)
        if child.is_alive():
            return Verdict(Outcome.CRASH, "has closed its pipe without an answer, and lived on")
        return Verdict(Outcome.CRASH, _how_it_ended(child.exitcode, limits))


def _excess(child: Any, own: Path, limits: Limits) -> str:
    """Return what a child has too much of, where the system sets no limit; else nothing."""
    if (started := orphans.count(child.pid)) > limits.processes:
        return f"has started {started} processes (limit: {limits.processes})"
    if limits.file_size is not None and orphans.written(own) > limits.file_size:
        return f"has filled its folder (limit: files of {size(limits.file_size)})"
    return ""


class _Answer(pickle.Unpickler):
    """Reads what a child has sent, who may be in the hands of what it has loaded."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a class of facts that this process has already imported, and nothing else."""
        result = vars(sys.modules[module])[name]
        if isinstance(result, type) and (is_dataclass(result) or issubclass(result, Enum)):
            return result
        raise pickle.UnpicklingError(f"{module}.{name} is no class of facts")


@contextmanager
def folder() -> Iterator[Path]:
    """Give a temporary folder, which is removed, whatever lies in it."""
    path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")).resolve()
    try:
        yield path
    finally:
        _remove(path)


def sweep() -> None:
    """Remove the folders of processes that were killed before they could do it themselves."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = path.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            _remove(path)


def _remove(path: Path) -> None:
    def again(function: Callable[[str], None], name: str, _: Any) -> None:
        # A trial may have taken itself the right to remove what it has written.
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(name), 0o700)  # noqa: PTH101, PTH120
            os.chmod(name, 0o700)  # noqa: PTH101
            shutil.rmtree(name) if os.path.isdir(name) else function(name)  # noqa: PTH112

    shutil.rmtree(path, onerror=again)


_PREFIX = "persistbench-of-"
LOOK_SECONDS = 0.25
"""So often a child that has not answered is looked at; most have, before."""

_DYING_SECONDS = 5.0
"""A pipe is closed a moment before the process is dead that has crashed."""

_starting = threading.Lock()

_living: set[int] = set()
"""The children of this process; several threads may have some."""


def _start(child: Any) -> None:
    """Start a child, even from a worker of Dask.

    Those are daemons, whom multiprocessing allows no children, lest they outlive a daemon that
    is killed. Ours do not: they die with the process that has forked them.
    """
    config = multiprocessing.process.current_process()._config  # type: ignore[attr-defined]
    with _starting:
        daemon = config.pop("daemon", None)
        try:
            _start_by_server(child)
            _living.add(child.pid)
        finally:
            if daemon is not None:
                config["daemon"] = daemon


def _start_by_server(child: Any) -> None:
    """Start a child; where a hostile one has just killed the fork server, by another server.

    multiprocessing starts the server anew when it sees that the old one is dead. Between the death
    and that moment the server's socket refuses connections, or answers nothing.
    """
    for _ in range(STARTS - 1):
        try:
            child.start()
        except _NO_SERVER:
            time.sleep(PAUSE_SECONDS)
        else:
            return
    child.start()


_NO_SERVER = (ConnectionError, EOFError)
STARTS, PAUSE_SECONDS = 100, 0.05
"""So often a child is started while the fork server is dead, with a pause between."""


def _forget() -> None:
    """Begin anew in a forked process: the lock is its parent's, who was just starting it."""
    global _starting
    _starting = threading.Lock()
    _living.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _once(function: Callable[..., Verdict], *arguments: Any) -> Iterator[Verdict]:
    yield function(*arguments)


def _how_it_ended(exitcode: int | None, limits: Limits) -> str:
    if exitcode is None or exitcode >= 0:
        return f"ended without an answer, exit status {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = str(-exitcode)
    ended = f"ended by signal {name}"
    # A library that does not expect to be refused memory dies of it.
    return f"{ended} (limits: {limits})" if limits.memory is not None else ended
