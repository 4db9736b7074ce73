"""Runs a function in a child process with limits, so that a crash or a hang is an outcome."""

import errno
import multiprocessing
import multiprocessing.process
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, cast

from persistbench import outcomes
from persistbench.outcomes import Outcome, Verdict

_methods = multiprocessing.get_all_start_methods()
_context: Any = multiprocessing.get_context("forkserver" if "forkserver" in _methods else "spawn")
_preloaded = ["persistbench.trials.warm"]


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


@dataclass(frozen=True)
class Limits:
    """What a child may take; beyond it, it gets an error or is killed.

    Attributes:
        seconds: for each answer.
        memory: bytes of private memory that it can write to; None for no limit. It is RLIMIT_DATA,
            not RLIMIT_AS, because that would count mapped files and reserved addresses, too:
            a memory-mapped artifact eats nothing. Linux alone enforces it.
        file_size: bytes of any file it writes; None for no limit.
    """

    seconds: float
    memory: int | None = None
    file_size: int | None = None

    def __str__(self) -> str:
        parts = [f"{self.seconds:g} s"]
        if self.memory is not None:
            parts.append(f"{_size(self.memory)} of memory")
        if self.file_size is not None:
            parts.append(f"files of {_size(self.file_size)}")
        return ", ".join(parts)


class DeadError(Exception):
    """A child has died, or was killed, before it had given all its answers.

    Attributes:
        verdict: a ``crash`` or a ``timeout``.
    """

    def __init__(self, verdict: Verdict) -> None:
        """Take the verdict."""
        super().__init__(verdict.reason)
        self.verdict = verdict


def run(
    function: Callable[..., Verdict],
    *arguments: Any,
    seconds: float,
    memory: int | None = None,
    file_size: int | None = None,
) -> Verdict:
    """Return the verdict that the function returns in a child process.

    A child that dies is a ``crash`` with its signal or exit status; one that takes
    longer than ``seconds`` is killed: a ``timeout``. The limits are those of :class:`Limits`.
    """
    limits = Limits(seconds, memory, file_size)
    try:
        (verdict,) = answers(_once, function, *arguments, limits=limits)
    except DeadError as death:
        return death.verdict
    return cast(Verdict, verdict)


def answers(
    function: Callable[..., Iterator[Any]], *arguments: Any, limits: Limits
) -> Iterator[Any]:
    """Yield what a generator function yields in a child process, as it comes.

    Raises:
        DeadError: the child has died, or was killed because an answer took too long.
    """
    receiving, sending = context().Pipe(duplex=False)
    work = (sending, dict(os.environ), limits, function, arguments)
    child = context().Process(target=_child, args=work)
    _start(child)
    sending.close()
    died: Verdict | None = None
    ended = False
    try:
        while not ended:
            if not receiving.poll(limits.seconds):
                died = Verdict(Outcome.TIMEOUT, f"not finished after {limits.seconds:g} s")
                break
            try:
                ended, answer = receiving.recv()
            except EOFError:
                break
            if not ended:
                yield answer
            elif answer is not None:
                died = answer
    finally:
        if not ended and (died or sys.exc_info()[0] is not None):
            child.kill()
        child.join(5)
        child.kill()  # it has answered, and may still hang at exit
        child.join()
        receiving.close()
    if not ended and died is None:
        died = Verdict(Outcome.CRASH, _how_it_ended(child.exitcode, limits))
    if died is not None:
        raise DeadError(died)


def of_exception(outcome: Outcome, error: BaseException) -> Verdict:
    """Return the verdict for an exception in a child: a limit that it has met is named."""
    verdict = outcomes.of_exception(outcome, error)
    met = ""
    if isinstance(error, MemoryError) and _limits.memory is not None:
        met = f"{_size(_limits.memory)} of memory"
    if getattr(error, "errno", None) == errno.EFBIG and _limits.file_size is not None:
        met = f"files of {_size(_limits.file_size)}"
    if not met:
        return verdict
    return replace(verdict, reason=f"{verdict.reason} (limit: {met})", machine_fault=False)


def hush() -> None:
    """Let this child say nothing: libraries warn of small data and of much else."""
    warnings.simplefilter("ignore")
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)


_limits = Limits(float("inf"))
"""Those of this process, if it is a child."""

_starting = threading.Lock()

_GRACE_SECONDS = 30
"""So much longer than its parent waits, a child lives that nobody waits for any more."""


def _start(child: Any) -> None:
    """Start a child, even from a worker of Dask.

    Those are daemons, whom multiprocessing allows no children, lest they outlive a daemon that
    is killed. Ours do not outlive it by much: each has an alarm clock.
    """
    config = multiprocessing.process.current_process()._config  # type: ignore[attr-defined]
    with _starting:
        daemon = config.pop("daemon", None)
        try:
            child.start()
        finally:
            if daemon is not None:
                config["daemon"] = daemon


def _once(function: Callable[..., Verdict], *arguments: Any) -> Iterator[Verdict]:
    yield function(*arguments)


def _child(
    sending: Connection,
    environ: dict[str, str],
    limits: Limits,
    function: Callable[..., Iterator[Any]],
    arguments: Any,
) -> None:
    os.environ.update(environ)  # the server's may be older
    _obey(limits)
    failure = None
    try:
        for answer in function(*arguments):
            sending.send((False, answer))
            _wind(limits)
    except Exception as error:
        failure = of_exception(Outcome.CRASH, error)
    sending.send((True, failure))
    sending.close()


def _obey(limits: Limits) -> None:
    """Set this process's limits; Windows has none of them."""
    global _limits
    _limits = limits
    _wind(limits)
    try:
        import resource
    except ModuleNotFoundError:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who kills its children
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_FSIZE: limits.file_size,
    }
    for which, limit in wanted.items():
        if limit is not None:
            hard = resource.getrlimit(which)[1]
            most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(which, (most, hard))


def _wind(limits: Limits) -> None:
    """Set the alarm clock that ends this process when its parent is no more."""
    if hasattr(signal, "setitimer") and limits.seconds != float("inf"):
        signal.setitimer(signal.ITIMER_REAL, limits.seconds + _GRACE_SECONDS)


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


def _size(count: int) -> str:
    return f"{count / 10**9:g} GB" if count >= 10**9 else f"{count / 10**6:g} MB"
