"""Whatever a child does, the parent gets a verdict."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends, sandbox
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child, parent
from tests._waiting import ENOUGH, HANG


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
    assert sandbox.run(_same, limits=sandbox.Limits(seconds=ENOUGH)) == _same()


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
    verdict = sandbox.run(function, limits=sandbox.Limits(seconds=ENOUGH))  # type: ignore[arg-type]
    assert verdict.outcome is Outcome.CRASH
    assert verdict.reason.partition(" (test_sandbox.py, line")[0] == reason


def test_child_that_hangs_is_a_timeout() -> None:
    """A child over its time is killed and called a timeout."""
    assert sandbox.run(_hang, limits=sandbox.Limits(seconds=0.2)).outcome is Outcome.TIMEOUT


def test_process_that_has_computed_may_examine() -> None:
    """Threads that this process has started for its own sums do not hang or kill the child."""
    case = catalogue.get("boosting").build()
    case.estimator.predict(case.X)
    assert Cell(catalogue.get("boosting"), backends.get("pickle-3")).examine().same


def _hungry() -> Verdict:
    try:
        bytearray(3 * 10**9)
    except MemoryError as error:
        return child.of_exception(Outcome.ERROR_AT_LOAD, error)
    return _same()


def _large_file(path: Path) -> Verdict:
    try:
        path.write_bytes(bytes(2 * 10**6))
    except OSError as error:
        return child.of_exception(Outcome.ERROR_AT_DUMP, error)
    return _same()


def _limits() -> Verdict:
    import resource

    alarm = signal.getitimer(signal.ITIMER_REAL)[0] > 0
    return Verdict(Outcome.SAME, f"{resource.getrlimit(resource.RLIMIT_CORE)[0]} {alarm}")


def _count_and_die(how: str) -> Iterator[int]:
    yield 1
    yield 2
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hangs":
        time.sleep(60)
    yield 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces RLIMIT_DATA")
def test_memory_over_the_limit_is_named() -> None:
    """A child that wants more memory than it may has an error, whose reason says the limit."""
    result = sandbox.run(_hungry, limits=sandbox.Limits(seconds=ENOUGH, memory=2 * 10**9))
    assert result == Verdict(Outcome.ERROR_AT_LOAD, "MemoryError (limit: 2 GB of memory)")


def test_file_over_the_limit_is_named(tmp_path: Path) -> None:
    """A child that writes a larger file than it may has an error, whose reason says the limit."""
    pytest.importorskip("resource", reason="limits are POSIX")
    result = sandbox.run(
        _large_file, tmp_path / "file", limits=sandbox.Limits(seconds=ENOUGH, file_size=10**6)
    )
    assert result.outcome is Outcome.ERROR_AT_DUMP
    assert result.reason.endswith("File too large (limit: files of 1 MB)")
    assert not result.machine_fault


def test_child_leaves_no_core_and_does_not_outlive_its_parent() -> None:
    """A child writes no core file, and has an alarm clock for when nobody waits any more."""
    pytest.importorskip("resource", reason="limits are POSIX")
    assert sandbox.run(_limits, limits=sandbox.Limits(seconds=ENOUGH)).reason == "0 True"


def test_killed_child_with_limits_tells_them() -> None:
    """Where a limit may be why a child died by a signal, the reason names the limits."""
    result = sandbox.run(_kill, limits=sandbox.Limits(seconds=ENOUGH, memory=2 * 10**9))
    assert result.reason == "ended by signal SIGKILL (limits: 600 s, 2 GB of memory)"


@pytest.mark.parametrize(
    ("how", "outcome"), [("killed", Outcome.CRASH), ("hangs", Outcome.TIMEOUT)]
)
def test_answers_come_before_the_death(how: str, outcome: Outcome) -> None:
    """What a child has answered before it died is not lost."""
    result = sandbox.answers(_count_and_die, how, limits=sandbox.Limits(HANG))
    assert [next(result), next(result)] == [1, 2]
    with pytest.raises(sandbox.DeadError) as death:
        next(result)
    assert death.value.verdict.outcome is outcome


def test_all_answers_come() -> None:
    """A child that lives gives all its answers."""
    assert list(sandbox.answers(_count_and_die, "lives", limits=sandbox.Limits(ENOUGH))) == [
        1,
        2,
        3,
    ]


def _run_in_daemon(sending: Any) -> None:
    sending.send(sandbox.run(_same, limits=sandbox.Limits(seconds=ENOUGH)))


def test_daemon_may_have_children() -> None:
    """A daemonic process, such as a worker of Dask, runs children too."""
    receiving, sending = multiprocessing.get_context("spawn").Pipe(duplex=False)
    arguments = (sending,)
    daemon = multiprocessing.get_context("spawn").Process(
        target=_run_in_daemon, args=arguments, daemon=True
    )
    daemon.start()
    sending.close()
    assert receiving.recv() == _same()
    daemon.join()


def test_last_words_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is read only when its child is gone is an answer, on a busy machine, too."""
    receive = Connection.recv_bytes

    def late(*arguments: Any) -> bytes:
        time.sleep(3 * parent.LOOK_SECONDS)
        return receive(*arguments)

    monkeypatch.setattr(Connection, "recv_bytes", late)
    limits = sandbox.Limits(seconds=ENOUGH)
    assert list(sandbox.answers(range, 3, limits=limits)) == [0, 1, 2]
