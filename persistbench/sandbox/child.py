"""What a child of the sandbox does: it obeys its limits, works, and sends what it has found."""

import contextlib
import ctypes
import errno
import faulthandler
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from persistbench import cache, outcomes
from persistbench.errors import UserError
from persistbench.outcomes import Outcome, Verdict


@dataclass(frozen=True)
class Limits:
    """What a child may take; beyond it, it gets an error or is killed.

    Attributes:
        seconds: for each answer.
        memory: bytes of private memory that it can write to; None for no limit. It is RLIMIT_DATA,
            not RLIMIT_AS, because that would count mapped files and reserved addresses, too:
            a memory-mapped artifact eats nothing. Linux alone enforces it.
        file_size: bytes of any file it writes, and of all files in its own folder together; None
            for no limit.
        processes: so many it may start at a time.
    """

    seconds: float
    memory: int | None = None
    file_size: int | None = None
    processes: int = 64

    def __str__(self) -> str:
        parts = [f"{self.seconds:g} s"]
        if self.memory is not None:
            parts.append(f"{size(self.memory)} of memory")
        if self.file_size is not None:
            parts.append(f"files of {size(self.file_size)}")
        return ", ".join(parts)


_limits: Limits | None = None
"""Those of this process, if it is a child."""

GRACE_SECONDS = 30
"""So much longer than its parent waits, a child lives that nobody waits for any more."""


def work(
    sending: Connection,
    environ: dict[str, str],
    folder: str,
    limits: Limits,
    function: Callable[..., Iterator[Any]],
    arguments: Any,
) -> None:
    """Send what the function yields, each with whether it is the end; what a child runs.

    Args:
        sending: to the parent.
        environ: the parent's; the fork server's may be older.
        folder: the child's own, which its parent removes.
        limits: see :class:`Limits`.
        function: a generator function.
        arguments: for it.
    """
    if hasattr(os, "setsid"):
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # Ctrl-C is the parent's: it kills its children
    os.environ.update(environ)
    try:
        _move(folder)
    except FileNotFoundError:
        return  # the parent has gone, and its folder: nobody waits
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


def of_exception(outcome: Outcome, error: BaseException) -> Verdict:
    """Return the verdict for an exception in a child: a limit that it has met is named."""
    verdict = outcomes.of_exception(outcome, error)
    if _limits is None:
        return verdict
    met = ""
    if isinstance(error, MemoryError) and _limits.memory is not None:
        met = f"{size(_limits.memory)} of memory"
    if getattr(error, "errno", None) == errno.EFBIG and _limits.file_size is not None:
        met = f"files of {size(_limits.file_size)}"
    if not met:
        return verdict
    return replace(verdict, reason=f"{verdict.reason} (limit: {met})", fault=None)


def hush() -> None:
    """Let this child say nothing: libraries warn of small data and of much else."""
    warnings.simplefilter("ignore")
    faulthandler.disable()
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)


def required() -> None:
    """Refuse to go on in a process that has no limits: what follows may hurt.

    Raises:
        UserError: this process is no child of the sandbox.
    """
    if _limits is None:
        raise UserError(
            "This trial can hurt and runs in the sandbox only: `persistbench try safety`."
        )


def tighten(memory: int) -> None:
    """Let this child take only so many bytes of memory more than it has taken; on Linux."""
    global _limits
    import resource

    from persistbench.system import memory as measured

    if _limits is None:
        return
    _limits = replace(_limits, memory=memory)
    with contextlib.suppress(OSError, AttributeError):  # another C library
        # What was freed before would be memory that nobody counts.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (measured.reserved() + memory, hard))


def size(count: int) -> str:
    """Return a number of bytes as it is read."""
    return f"{count / 10**9:g} GB" if count >= 10**9 else f"{count / 10**6:g} MB"


def _move(folder: str) -> None:
    """Make a folder this process's own, for whatever it writes without being told where."""
    os.environ[cache.BASE] = tempfile.gettempdir()  # where fitted pipelines are, that stays
    os.environ["TMPDIR"] = folder
    tempfile.tempdir = None
    os.chdir(folder)


def _obey(limits: Limits) -> None:
    """Set this process's limits; Windows has none of them."""
    global _limits
    _limits = limits
    _wind(limits)
    try:
        import resource
    except ModuleNotFoundError:
        return
    with contextlib.suppress(OSError):
        os.setsid()  # whatever it starts can be killed with it
    die_with_parent()
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
        signal.setitimer(signal.ITIMER_REAL, limits.seconds + GRACE_SECONDS)


def die_with_parent() -> None:
    """Ask Linux for SIGKILL when the process that has forked this one ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_PR_SET_PDEATHSIG = 1  # sys/prctl.h
