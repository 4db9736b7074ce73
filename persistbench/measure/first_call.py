"""The first call in a new process: what a user pays who loads or dumps a pipeline once.

One sample is one new process. Its imports are done, its allocator is as the system has it, the file
is in the page cache, and a tiny pipeline went through the same backend before. To start an
interpreter for each sample would take seconds of imports. So an interpreter is started once, a
:class:`Mother`, and each sample is a fork of it. What a fork pays and a started interpreter does
not, is paid before the call: the fork makes all pages its own (:func:`~persistbench.system.memory.
own_pages`). That takes longer than most calls. So a few forks get ready at the same time, and then
make their calls one after the other, while all others wait. :func:`started` is the real thing, to
compare with. It also takes the place of the forks where a system has none.

This file is also the program of the interpreter that is started.
"""

import contextlib
import gc
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from persistbench.outcomes import Outcome, Verdict, of_exception

FIRST = ("joblib",)
"""dill adds what it can save to Python's own pickler, and joblib copies that pickler: so joblib is
imported before."""

PATIENCE_SECONDS = 600.0
"""So long a call may take."""


@dataclass(frozen=True)
class Subject:
    """The pipeline that calls are about.

    Attributes:
        pipeline: its name.
        estimator: path of the pickled estimator that is dumped. Where no file is, it is built.
        original: path of the pickled reference, which holds the rows; empty if no call needs them.
    """

    pipeline: str = ""
    estimator: str = ""
    original: str = ""


@dataclass(frozen=True)
class Call:
    """What is called once.

    Attributes:
        backend: its id.
        path: of the artifact that is loaded, or of a file that is not there yet, for a dump.
        tiny: path of a tiny artifact of the same backend; empty if there is none.
        names: names that a backend with a list may load.
        dumps: whether the estimator of the subject is dumped; else the artifact is loaded.
        mapped: whether the artifact is loaded memory-mapped.
        use: the method that is called with the held-out rows after the load; empty for none.
        subject: the pipeline.
        slower: the call is made to take longer by this share, for a calibration.
    """

    backend: str
    path: str
    tiny: str = ""
    names: tuple[str, ...] = ()
    dumps: bool = False
    mapped: bool = False
    use: str = ""
    subject: Subject = Subject()
    slower: float = 0.0


class Sample(NamedTuple):
    """The duration of one call in seconds.

    Attributes:
        wall: on the clock.
        cpu: of all threads of the process.
        process: of the whole process, from its start to its end.
    """

    wall: float
    cpu: float
    process: float


class FailedError(Exception):
    """A call failed, or its process died.

    Attributes:
        verdict: on the call.
    """

    def __init__(self, verdict: Verdict) -> None:
        """Take the verdict."""
        super().__init__(verdict.reason)
        self.verdict = verdict


class Mother:
    """A started interpreter whose forks make one call each.

    What the first call of a backend imports in a fork, the mother imports for all later ones.

    Attributes:
        modules: what it has imported, in order.
    """

    def __init__(self, modules: Iterable[str] = FIRST) -> None:
        """Start it.

        Args:
            modules: imported before anything else; what cannot be imported is left out.
        """
        self.modules = list(modules)
        self._process = _interpreter("forks", self.modules)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        _end(self._process)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def dead(self) -> bool:
        """Whether its process has ended; the next call starts another."""
        return self._process.poll() is not None

    def samples(self, calls: Sequence[Call]) -> list[Sample | FailedError]:
        """Make each call in a new process, one after the other.

        A call that had to import something is made again, in a process that has imported it.

        Args:
            calls: their processes get ready at the same time.

        Returns:
            What each call has brought, in order.
        """
        if not hasattr(os, "fork"):
            return [_tried(call, self.modules) for call in calls]
        result: list[Sample | FailedError] = [_crash("it was not called") for _ in calls]
        left = list(range(len(calls)))
        for _ in range(_TRIES):
            if self.dead:
                self._process = _interpreter("forks", self.modules)
            again = []
            answers = _asked(self._process, [calls[index] for index in left])
            if self.dead and len(left) > 1 and all(_failed(answer) for answer in answers):
                for index in left:  # one of them has ended the mother: it is found when alone
                    (result[index],) = self.samples([calls[index]])
                break
            for index, answer in zip(left, answers, strict=True):
                result[index], imported, late = answer
                new = [name for name in imported if name not in self.modules]
                self.modules += new
                if late and new:
                    again.append(index)
            if not (left := again):
                break
        return result


_TRIES = 3
"""So often a call is made that imports something."""


def started(call: Call, modules: Iterable[str] = FIRST) -> Sample:
    """Make a call in a really started interpreter.

    Args:
        call: what is called.
        modules: what the interpreter imports before.

    Raises:
        FailedError: the call failed, or the process died.
    """
    begun = time.perf_counter()
    process = _interpreter("once", modules)
    try:
        ((sample, _, _),) = _asked(process, [call])
    finally:
        _end(process)
    if isinstance(sample, FailedError):
        raise sample
    return sample._replace(process=time.perf_counter() - begun)


def _tried(call: Call, modules: Iterable[str]) -> Sample | FailedError:
    try:
        return started(call, modules)
    except FailedError as error:
        return error


def _interpreter(how: str, modules: Iterable[str]) -> "subprocess.Popen[bytes]":
    # -P: the folder of this file holds modules, and is no place to import from.
    command = [sys.executable, "-P", __file__, how]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(  # noqa: S603 (our own program)
        command, **pipes, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None  # noqa: S101 (it is a pipe)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(list(modules)).encode() + b"\n")
        process.stdin.flush()
    return process


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


_Answer = tuple[Sample | FailedError, list[str], bool]
"""The sample, what the call imported, and whether it did so inside the clock."""


def _asked(process: "subprocess.Popen[bytes]", calls: Sequence[Call]) -> list[_Answer]:
    line = json.dumps([asdict(call) for call in calls]).encode()
    try:
        said = _answered(process, line, PATIENCE_SECONDS * len(calls))
    finally:
        for call in calls:
            if call.dumps:  # a process that has died may have left its file
                Path(call.path).unlink(missing_ok=True)
    if not said:
        ended = _crash(f"the process ended with status {process.wait()}")
        return [(ended, [], False) for _ in calls]
    return [_read(facts) for facts in json.loads(said)]


def _read(facts: dict[str, Any]) -> _Answer:
    if "error" in facts:
        return FailedError(Verdict.from_dict(facts["error"])), [], False
    return Sample(*facts["sample"]), facts["imported"], facts["late"]


def _failed(answer: _Answer) -> bool:
    return isinstance(answer[0], FailedError)


def _crash(reason: str) -> FailedError:
    return FailedError(Verdict(Outcome.CRASH, reason))


def _answered(process: "subprocess.Popen[bytes]", line: bytes, patience: float) -> bytes:
    """Send a line, and return the line that answers it; empty if the process has died."""
    assert process.stdin is not None  # noqa: S101 (see _interpreter)
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(line + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        return b""
    if os.name == "posix" and not select.select([process.stdout], [], [], patience)[0]:
        process.kill()
    return process.stdout.readline()


def _serve(how: str, calls: IO[str], say: IO[str]) -> None:
    """Make the calls that come as lines, and answer each line; the child's program.

    The first line says what is imported.
    """
    from importlib import import_module

    from persistbench import backends
    from persistbench.sandbox import child

    child.die_with_parent()

    def prepare(names: list[str]) -> None:
        new = [name for name in names if name not in sys.modules]
        for name in new:
            with contextlib.suppress(Exception):  # some cannot be imported by their name alone
                import_module(name)
        if new:
            # How soon a full collection comes depends on all that was imported before: 90 ms more
            # for a call or not, by luck. Each call has its own collections, and begins at none.
            gc.collect()

    prepare(json.loads(calls.readline() or "[]"))
    seen = set()
    for line in calls:
        wanted = [_call(facts) for facts in json.loads(line)]
        for name in (call.backend for call in wanted if call.backend not in seen):
            seen.add(name)
            with contextlib.suppress(Exception):  # a broken library says so in its own process
                backends.get(name).import_modules(shared=True)
        if how == "forks":
            answers = _in_forks(wanted)
        else:
            answers = [_answer(call, lambda: None) for call in wanted]
        say.write(json.dumps(answers) + "\n")
        say.flush()
        for answer in answers:
            prepare(answer.get("imported", []))


def _call(facts: dict[str, Any]) -> Call:
    names, subject = tuple(facts["names"]), Subject(**facts["subject"])
    return Call(**facts | {"names": names, "subject": subject})


def _estimator(subject: Subject) -> Any:
    if os.path.isfile(subject.estimator):  # noqa: PTH113 (pathlib would be one more import)
        return _unpickled(subject.estimator)
    from persistbench.cases import catalogue

    return catalogue.get(subject.pipeline).build().estimator


def _unpickled(path: str) -> Any:
    import pickle

    with open(path, "rb") as file:  # our own file, of the folder of fitted pipelines
        return pickle.load(file)


def _answer(call: Call, wait: Callable[[], Any]) -> dict[str, Any]:
    stage = [Outcome.ERROR_AT_DUMP if call.dumps else Outcome.ERROR_AT_LOAD]
    try:
        return _made(call, wait, stage)
    except Exception as error:
        return {"error": asdict(of_exception(stage[0], error))}


def _made(call: Call, wait: Callable[[], Any], stage: list[Outcome]) -> dict[str, Any]:
    """Get ready, wait, let a tiny pipeline go through the backend, and make the call."""
    from persistbench import backends

    backend = backends.get(call.backend).trusting(call.names)
    backend.import_modules()
    known = set(sys.modules)
    rows = _unpickled(call.subject.original).X if call.subject.original else None
    payload = backend.payload(_estimator(call.subject), rows) if call.dumps else None
    mode = "r" if call.mapped else None

    def action() -> Any:
        if call.dumps:
            return backend.dump(payload, call.path)
        result = backend.load(call.path, mode)
        if call.use:
            stage[0] = Outcome.ERROR_AT_USE
            return result, getattr(result, call.use)(rows)
        return result

    with tempfile.TemporaryDirectory() as folder:
        wait()
        if call.tiny:
            tiny = backend.load(call.tiny, mode)
            if call.dumps and backend.claims.returns == "estimator":
                backend.dump(backend.payload(tiny, None), os.path.join(folder, "tiny"))  # noqa: PTH118
        before = set(sys.modules)
        cpu, start = time.process_time(), time.perf_counter()
        result = action()
        end = start + (time.perf_counter() - start) * (1 + call.slower)
        while call.slower and time.perf_counter() < end:
            pass
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    if call.dumps:  # each dump writes a new file, as a user does
        Path(call.path).unlink()
    imported = [name for name in sys.modules if name not in known]
    late = any(name not in before for name in imported)
    del result  # outside the clock
    return {"sample": [wall, cpu, 0.0], "imported": imported, "late": late}


def _in_forks(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Return the answers of forks that get ready at the same time, and call in turn."""
    from persistbench.system.memory import touch_free_memory

    forks: list[_Fork] = []
    for call in calls:
        forks.append(_Fork(call, forks))
    for fork in forks:
        fork.get_ready()
    touch_free_memory(max(map(_needs, calls)))
    return [fork.answer() for fork in forks]


def _needs(call: Call) -> int:
    """Return about how many bytes of memory a call takes, the page cache included."""
    paths = (call.path, call.subject.estimator)
    return 8 * max((os.path.getsize(path) for path in paths if os.path.isfile(path)), default=0)  # noqa: PTH113, PTH202


class _Fork:
    """A process that makes one call."""

    def __init__(self, call: Call, others: "Sequence[_Fork]") -> None:
        from persistbench.sandbox import child
        from persistbench.system.memory import own_pages

        self._begun = time.perf_counter()
        self._from_child, sending = os.pipe()
        receiving, self._to_child = os.pipe()
        self._process = os.fork()
        if self._process:
            os.close(sending)
            os.close(receiving)
            return
        child.die_with_parent()
        for end in (self._from_child, self._to_child, *(end for one in others for end in one.ends)):
            os.close(end)
        own_pages()

        def wait() -> None:
            os.write(sending, b"\n")
            os.read(receiving, 1)

        os.write(sending, json.dumps(_answer(call, wait)).encode())
        os._exit(0)

    @property
    def ends(self) -> tuple[int, int]:
        """The open ends of its pipes in this process."""
        return self._from_child, self._to_child

    def get_ready(self) -> None:
        """Wait until it can make its call, or has died."""
        os.read(self._from_child, 1)
        self._took = time.perf_counter() - self._begun

    def answer(self) -> dict[str, Any]:
        """Let it make its call; return its answer when it has ended."""
        begun = time.perf_counter()
        with contextlib.suppress(BrokenPipeError):  # it has failed before
            os.write(self._to_child, b"\n")
        os.close(self._to_child)
        with open(self._from_child, encoding="utf-8") as answer:
            said = answer.read()
        _, status = os.waitpid(self._process, 0)
        if not said:
            return {"error": asdict(Verdict(Outcome.CRASH, f"the process ended {_how(status)}"))}
        result: dict[str, Any] = json.loads(said if said.startswith("{") else "{" + said)
        if "sample" in result:
            result["sample"][-1] = self._took + time.perf_counter() - begun
        return result


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"without an answer, exit status {code}"
    import signal

    return f"by signal {signal.Signals(-code).name}"


if __name__ == "__main__":
    _serve(sys.argv[1], sys.stdin, sys.stdout)
