"""Whatever a child does, the parent gets a verdict."""

import os
import signal
import time

import pytest

from persistbench import backends, catalogue
from persistbench.cells import Cell
from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import sandbox


def _same() -> Verdict:
    return Verdict(Outcome.SAME, label_changes=3)


def _raise() -> Verdict:
    raise ValueError("two\nlines")


def _kill() -> Verdict:
    os.kill(os.getpid(), signal.SIGKILL)
    return _same()


def _exit() -> Verdict:
    os._exit(7)


def _hang() -> Verdict:
    time.sleep(60)
    return _same()


def test_answer_of_the_child_is_returned() -> None:
    """The verdict travels whole from the child to the parent."""
    assert sandbox.run(_same, seconds=30) == _same()


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (_raise, "ValueError: two lines"),
        (_kill, "ended by signal SIGKILL"),
        (_exit, "ended without an answer, exit status 7"),
    ],
)
def test_child_that_dies_is_a_crash(function: object, reason: str) -> None:
    """A child that dies without an answer is a crash, with its signal or status."""
    assert sandbox.run(function, seconds=30) == Verdict(Outcome.CRASH, reason)  # type: ignore[arg-type]


def test_child_that_hangs_is_a_timeout() -> None:
    """A child over its time is killed and called a timeout."""
    assert sandbox.run(_hang, seconds=0.2).outcome is Outcome.TIMEOUT


def test_process_that_has_computed_may_examine() -> None:
    """Threads that this process has started for its own sums do not hang or kill the child."""
    case = catalogue.get("boosting").build()
    case.estimator.predict(case.X)
    assert Cell(catalogue.get("boosting"), backends.get("pickle-3")).examine().same
