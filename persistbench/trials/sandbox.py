"""Runs one function in a child process, so that a crash or a hang is an outcome."""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from persistbench.outcomes import Outcome, Verdict, of_exception

_methods = multiprocessing.get_all_start_methods()
_context: Any = multiprocessing.get_context("forkserver" if "forkserver" in _methods else "spawn")


def context() -> Any:
    """Return multiprocessing's context for children that compute.

    They must not be forked from a process that has computed: the pool of OpenMP's threads is
    not there after the fork, and the first parallel region waits for it for ever (gcc's
    libgomp says so: https://gcc.gnu.org/bugzilla/show_bug.cgi?id=58378) or crashes. So they come
    from multiprocessing's fork server, which has only imported.
    """
    if _context.get_start_method() == "forkserver":
        _context.set_forkserver_preload(["persistbench.trials.warm"])
    return _context


def fork_from_here() -> None:
    """Let children be forked from this process, which is cheaper: it must not have computed.

    Elsewhere than on Linux forking is not safe or not there, and nothing changes.
    """
    global _context
    if sys.platform == "linux":
        _context = multiprocessing.get_context("fork")


def run(function: Callable[..., Verdict], *arguments: Any, seconds: float) -> Verdict:
    """Return the verdict that the function returns in a child process.

    A child that dies is a ``crash`` with its signal or exit status; one that takes
    longer than ``seconds`` is killed: a ``timeout``.
    """
    receiving, sending = context().Pipe(duplex=False)
    work = (sending, dict(os.environ), function, arguments)
    child = context().Process(target=_child, args=work)
    child.start()
    sending.close()
    verdict: Verdict | None = None
    timed_out = False
    try:
        if receiving.poll(seconds):
            with contextlib.suppress(EOFError):
                verdict = receiving.recv()
        else:
            timed_out = True
    finally:
        if timed_out or sys.exc_info()[0] is not None:
            child.kill()
        child.join(5)
        child.kill()  # it has answered, and may still hang at exit
        child.join()
        receiving.close()
    if timed_out:
        return Verdict(Outcome.TIMEOUT, f"not finished after {seconds:g} s")
    return verdict or Verdict(Outcome.CRASH, _how_it_ended(child.exitcode))


def _child(
    sending: Connection,
    environ: dict[str, str],
    function: Callable[..., Verdict],
    arguments: Any,
) -> None:
    os.environ.update(environ)  # the server's may be older
    try:
        verdict = function(*arguments)
    except Exception as error:
        verdict = of_exception(Outcome.CRASH, error)
    sending.send(verdict)
    sending.close()


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        try:
            return f"ended by signal {signal.Signals(-exitcode).name}"
        except ValueError:
            return f"ended by signal {-exitcode}"
    return f"ended without an answer, exit status {exitcode}"
