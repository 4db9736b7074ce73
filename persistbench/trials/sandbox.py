"""Runs one function in a child process, so that a crash or a hang is an outcome."""

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from persistbench.outcomes import Outcome, Verdict, of_exception

# Forking is what makes a trial cheap; elsewhere than on Linux it is not safe or not there.
_CONTEXT: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


def run(function: Callable[..., Verdict], *arguments: Any, seconds: float) -> Verdict:
    """Return the verdict that the function returns in a child process.

    A child that dies is a ``crash`` with its signal or exit status; one that takes
    longer than ``seconds`` is killed: a ``timeout``.
    """
    receiving, sending = _CONTEXT.Pipe(duplex=False)
    child = _CONTEXT.Process(target=_child, args=(sending, function, arguments))
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


def _child(sending: Connection, function: Callable[..., Verdict], arguments: Any) -> None:
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
