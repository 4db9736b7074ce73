"""A hostile trial is recorded as what it is, and leaves neither processes nor files behind."""

import contextlib
import ctypes
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from persistbench import sandbox
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child, orphans, parent
from tests._waiting import ENOUGH

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone enforces all limits")

LIMITS = sandbox.Limits(seconds=3, memory=10**9, file_size=10**6, processes=8)


def _allocates() -> Iterator[Any]:
    kept = []
    try:
        while True:
            kept.append(bytearray(10**7))
    except MemoryError as error:
        kept.clear()
        yield child.of_exception(Outcome.ERROR_AT_LOAD, error)


def _loops() -> Iterator[Any]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    while True:
        pass
    yield


def _stops_itself() -> Iterator[Any]:
    os.kill(os.getpid(), signal.SIGSTOP)
    yield


def _forks() -> Iterator[Any]:
    while True:
        if os.fork() == 0:
            time.sleep(60)
    yield


def _forks_exponentially() -> Iterator[Any]:
    while True:
        os.fork()
        time.sleep(0.2)
    yield


def _writes_one_file() -> Iterator[Any]:
    try:
        with Path("large").open("wb") as file:
            while True:
                file.write(bytes(10**5))
    except OSError as error:
        yield child.of_exception(Outcome.ERROR_AT_DUMP, error)


def _writes_many_files() -> Iterator[Any]:
    number = 0
    while True:
        number += 1
        Path(str(number)).write_bytes(bytes(10**5))
        time.sleep(0.01)
    yield


def _segfaults() -> Iterator[Any]:
    yield ctypes.string_at(0)


def _aborts() -> Iterator[Any]:
    os.abort()
    yield


def _exits() -> Iterator[Any]:
    yield Verdict(Outcome.SAME)
    os._exit(0)


def _leaves_by_exception() -> Iterator[Any]:
    raise SystemExit(3)
    yield


def _closes_pipes() -> Iterator[Any]:
    os.closerange(3, 256)
    time.sleep(60)
    yield


def _pipe() -> int:
    """Return the descriptor of the pipe to the parent: the last one that was opened."""
    return max(
        int(name)
        for name in os.listdir("/proc/self/fd")  # noqa: PTH208
        if (Path("/proc/self/fd") / name).exists()
        and os.readlink(f"/proc/self/fd/{name}").startswith(("pipe:", "socket:"))  # noqa: PTH115
    )


def _sends_rubbish() -> Iterator[Any]:
    os.write(_pipe(), b"\0\0\0\5hello" * 3)
    time.sleep(60)
    yield


def _sends_half_a_message() -> Iterator[Any]:
    os.write(_pipe(), b"\0\0\1\0half")
    time.sleep(60)
    yield


def _claims_a_huge_message() -> Iterator[Any]:
    os.write(_pipe(), b"\x7f\xff\xff\xff")
    time.sleep(60)
    yield


class Attack:
    """Runs code in whoever unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("import pathlib; pathlib.Path('/tmp/persistbench-taken').touch()",))


def _attacks_its_parent() -> Iterator[Any]:
    yield Attack()


def _kills_the_one_who_forked_it() -> Iterator[Any]:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
    yield


HOSTILE: dict[Callable[[], Iterator[Any]], tuple[Outcome, str]] = {
    _allocates: (Outcome.ERROR_AT_LOAD, "MemoryError (limit: 1 GB of memory)"),
    _loops: (Outcome.TIMEOUT, "not finished after 3 s"),
    _stops_itself: (Outcome.TIMEOUT, "not finished after 3 s"),
    _forks: (Outcome.CRASH, "processes (limit: 8)"),
    _forks_exponentially: (Outcome.CRASH, "processes (limit: 8)"),
    _writes_one_file: (Outcome.ERROR_AT_DUMP, "(limit: files of 1 MB)"),
    _writes_many_files: (Outcome.CRASH, "has filled its folder (limit: files of 1 MB)"),
    _segfaults: (Outcome.CRASH, "ended by signal SIGSEGV"),
    _aborts: (Outcome.CRASH, "ended by signal SIGABRT"),
    _exits: (Outcome.CRASH, "ended without an answer, exit status 0"),
    _leaves_by_exception: (Outcome.CRASH, "ended without an answer, exit status 3"),
    _closes_pipes: (Outcome.CRASH, "has closed its pipe without an answer, and lived on"),
    _sends_rubbish: (Outcome.CRASH, "the process has sent what is no answer"),
    _sends_half_a_message: (Outcome.TIMEOUT, "not finished after 3 s"),
    _claims_a_huge_message: (Outcome.CRASH, "the process has sent what is no answer"),
    _attacks_its_parent: (Outcome.CRASH, "the process has sent what is no answer"),
    _kills_the_one_who_forked_it: (Outcome.CRASH, "ended without an answer"),
}


def _last(function: Callable[[], Iterator[Any]], limits: sandbox.Limits) -> Verdict:
    """Return the last answer, or the verdict on the death."""
    answer = None
    try:
        for answer in sandbox.answers(function, limits=limits):  # noqa: B007
            pass
    except sandbox.DeadError as death:
        return death.verdict
    assert isinstance(answer, Verdict)
    return answer


@pytest.mark.parametrize("function", HOSTILE, ids=lambda function: function.__name__)
def test_hostile_trial_is_called_what_it_is(
    function: Callable[[], Iterator[Any]], own_tmpdir: Path
) -> None:
    """Each has its outcome and its reason, and afterwards there is nothing of it left."""
    before = _lying_in(own_tmpdir)
    outcome, reason = HOSTILE[function]
    seconds = LIMITS.seconds if outcome is Outcome.TIMEOUT else ENOUGH
    result = _last(function, replace(LIMITS, seconds=seconds))
    assert (result.outcome, reason in result.reason) == (outcome, True), result
    assert _lying_in(own_tmpdir) == before
    assert not Path("/tmp/persistbench-taken").exists()  # noqa: S108
    assert sandbox.run(_same, limits=sandbox.Limits(seconds=ENOUGH)).same


def _lying_in(folder: Path) -> set[str]:
    """Return what is there, without what multiprocessing keeps for its fork server."""
    return {path.name for path in folder.iterdir() if not path.name.startswith("pymp-")}


def _same() -> Verdict:
    return Verdict(Outcome.SAME)


def _leaves_a_process(note: Path, daemon: bool) -> Iterator[Any]:
    if os.fork() == 0:
        if daemon:
            os.setsid()
            if os.fork():
                os._exit(0)
        note.write_text(str(os.getpid()))
        time.sleep(60)
        os._exit(0)
    while not note.is_file() or not note.read_text():
        time.sleep(0.01)
    yield Verdict(Outcome.SAME)


@pytest.mark.parametrize("daemon", [False, True])
@pytest.mark.parametrize("forking", [False, True])
def test_nothing_is_left_running(tmp_path: Path, daemon: bool, forking: bool) -> None:
    """A process that a trial has started is dead when the trial is over, a daemon, too."""
    limits = replace(LIMITS, seconds=ENOUGH)
    with sandbox.forking() if forking else contextlib.nullcontext():
        result = list(sandbox.answers(_leaves_a_process, tmp_path / "note", daemon, limits=limits))
    assert result == [Verdict(Outcome.SAME)]
    assert not _alive(int((tmp_path / "note").read_text()))


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _litters() -> Iterator[Any]:
    deep = Path(tempfile.mkdtemp(), "deep")
    deep.mkdir()
    Path(deep, "file").touch()
    Path(deep, "link").symlink_to("/")
    deep.chmod(0)
    yield str(deep)


def test_folder_of_a_trial_is_removed(own_tmpdir: Path) -> None:
    """What a trial writes, wherever its libraries think temporary files belong, is removed."""
    (written,) = sandbox.answers(_litters, limits=LIMITS)
    assert Path(written).is_relative_to(own_tmpdir)
    assert not Path(written).exists()
    assert not list(own_tmpdir.glob("persistbench-of-*"))


def test_folders_of_killed_processes_are_swept(own_tmpdir: Path) -> None:
    """A campaign that was killed leaves folders behind, and the next one removes them."""
    dead = own_tmpdir / f"persistbench-of-{2**22 + 1}-x"
    own = own_tmpdir / f"persistbench-of-{os.getpid()}-x"
    for path in (dead, own):
        path.mkdir()
    sandbox.sweep()
    assert (dead.exists(), own.exists()) == (False, True)
    own.rmdir()


def _says(answer: Any) -> Iterator[Any]:
    yield answer


FACTS = (Verdict(Outcome.CRASH, "x"), [1, {"a": 2.0}], sandbox.Limits(1))


def test_answers_are_facts() -> None:
    """An answer may hold dataclasses and members of enums."""
    assert list(sandbox.answers(_says, FACTS, limits=LIMITS)) == [FACTS]


@pytest.mark.parametrize("answer", [os.system, Path("x"), print], ids=repr)
def test_other_objects_are_no_answers(answer: Any) -> None:
    """A function, or an object of another class, is nothing that a child can send."""
    with pytest.raises(sandbox.DeadError, match="has sent what is no answer"):
        list(sandbox.answers(_says, answer, limits=replace(LIMITS, seconds=ENOUGH)))


def _limited() -> Verdict:
    child.required()
    return Verdict(Outcome.SAME)


def test_what_can_hurt_needs_the_sandbox() -> None:
    """A trial that can hurt refuses to run in a process without limits."""
    from persistbench.errors import UserError

    with pytest.raises(UserError, match="sandbox"):
        child.required()
    assert sandbox.run(_limited, limits=sandbox.Limits(seconds=ENOUGH)).same


def _has_a_child() -> Iterator[Any]:
    yield sandbox.run(_same, limits=sandbox.Limits(seconds=ENOUGH))


def test_forked_child_may_have_children() -> None:
    """A child that was forked from here forks children itself, and waits for no lock."""
    with sandbox.forking():
        assert list(sandbox.answers(_has_a_child, limits=sandbox.Limits(ENOUGH))) == [_same()]


def test_orphans_of_others_are_left_alone() -> None:
    """Only what a trial has left is killed: other children of the same process live on."""
    other = psutil.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with sandbox.forking():
            assert sandbox.run(_same, limits=sandbox.Limits(seconds=ENOUGH)).same
        assert other.is_running()
        assert other.pid in orphans.children(os.getpid())
    finally:
        other.kill()
        other.wait()


def _refuse(monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """Let so many starts of children be refused; return the list that notes every start."""
    process = sandbox.context().Process
    start, starts = process.start, []

    def refusing(self: Any) -> None:
        starts.append("")
        if len(starts) <= times:
            raise ConnectionRefusedError
        start(self)

    monkeypatch.setattr(process, "start", refusing)
    monkeypatch.setattr(parent, "PAUSE_SECONDS", 0.0)
    return starts


def test_server_that_was_just_killed_is_met_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that the dead fork server refuses is tried until there is a new one."""
    starts = _refuse(monkeypatch, 3)
    assert sandbox.run(_same, limits=sandbox.Limits(seconds=ENOUGH)).same
    assert len(starts) == 4


def test_server_that_never_comes_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no child can be started, that is the verdict, and nobody else is blamed."""
    starts = _refuse(monkeypatch, parent.STARTS)
    verdict = sandbox.run(_same, limits=sandbox.Limits(seconds=ENOUGH))
    assert len(starts) == parent.STARTS
    assert verdict.machine_fault
    assert "no child process can be started" in verdict.reason


def test_child_comes_after_the_fork_server_was_killed() -> None:
    """Whoever kills the real fork server takes nobody's next child."""
    assert sandbox.run(_same, limits=sandbox.Limits(seconds=ENOUGH)).same
    server = orphans.mother("forkserver")
    for _ in range(3):
        if server:
            os.kill(server, signal.SIGKILL)
        assert sandbox.run(_same, limits=sandbox.Limits(seconds=ENOUGH)).same
        server = orphans.mother("forkserver")
