"""The first call in a new process: what a user pays who loads or dumps a pipeline once.

One sample is one new process. Its imports are done, its allocator is as the system has it, the file
is in the page cache, and a tiny pipeline went through the same backend before. To start an
interpreter for each sample would take seconds of imports. So an interpreter is started once, a
:class:`Mother`, and each sample is a fork of it. What a fork pays and a started interpreter does
not, is paid before the call: the fork makes all pages its own (:func:`~persistbench.system.memory.
own_pages`). :func:`started` is the real thing, to compare with.

This file is also the child's program.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

_ROOT = str(Path(__file__).parents[2])


@dataclass(frozen=True)
class Call:
    """What is called once.

    Attributes:
        backend: its id.
        path: of the artifact that is loaded, or of a file that is not there yet, for a dump.
        tiny: path of a tiny artifact of the same backend.
        names: names that a backend with a list may load.
        pipeline: the pipeline that is dumped; empty for a load.
    """

    backend: str
    path: str
    tiny: str
    names: tuple[str, ...] = ()
    pipeline: str = ""


class Sample(NamedTuple):
    """The duration of one call in seconds.

    Attributes:
        wall: on the clock.
        cpu: of all threads of the process.
    """

    wall: float
    cpu: float


class FailedError(Exception):
    """A call failed, or its process died; the text says how."""


class Mother:
    """A started interpreter whose forks make one call each.

    Attributes:
        modules: what it imports before anything else.
        pipeline: what it builds before anything is dumped; empty for loads.
    """

    def __init__(self, modules: Sequence[str], pipeline: str = "") -> None:
        """Start it.

        Args:
            modules: see :class:`Mother`; a module that cannot be imported is left out.
            pipeline: see :class:`Mother`.
        """
        self.modules, self.pipeline = tuple(modules), pipeline
        self._process = _interpreter("forks", self.modules, pipeline)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def sample(self, call: Call) -> Sample:
        """Make a call in a new fork.

        Raises:
            FailedError: the call failed, or the process died.
        """
        return _asked(self._process, call)


def started(call: Call, modules: Sequence[str]) -> Sample:
    """Make a call in a really started interpreter.

    Args:
        call: what is called.
        modules: what the interpreter imports before.

    Raises:
        FailedError: the call failed, or the process died.
    """
    process = _interpreter("once", modules, call.pipeline)
    try:
        return _asked(process, call)
    finally:
        process.kill()
        process.communicate()


def _interpreter(how: str, modules: Sequence[str], pipeline: str) -> "subprocess.Popen[str]":
    # -P: the folder of this file holds modules, and is no place to import from.
    command = [sys.executable, "-P", __file__, how, json.dumps(list(modules)), pipeline]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(  # noqa: S603 (our own program)
        command, **pipes, stderr=subprocess.DEVNULL, text=True
    )


def _asked(process: "subprocess.Popen[str]", call: Call) -> Sample:
    assert process.stdin is not None  # noqa: S101 (see _interpreter)
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(json.dumps(asdict(call)) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if not answer:
        raise FailedError(f"the process ended with status {process.wait()}")
    facts = json.loads(answer)
    if "error" in facts:
        raise FailedError(facts["error"])
    return Sample(facts["wall"], facts["cpu"])


def _serve(how: str, modules: list[str], pipeline: str, calls: IO[str], say: IO[str]) -> None:
    """Make the calls that come as lines, and answer each with a line; the child's program."""
    sys.path.insert(0, _ROOT)
    from contextlib import suppress
    from importlib import import_module

    for name in modules:
        with suppress(Exception):  # some cannot be imported by their name alone
            import_module(name)
    case = None
    if pipeline:
        from persistbench.cases import catalogue

        case = catalogue.get(pipeline).build()
    for line in calls:
        call = Call(**json.loads(line))
        call = replace(call, names=tuple(call.names))
        answer = _in_fork(call, case) if how == "forks" else _answer(call, case)
        say.write(json.dumps(answer) + "\n")
        say.flush()


def _answer(call: Call, case: Any) -> dict[str, Any]:
    try:
        return _made(call, case)._asdict()
    except Exception as error:
        from persistbench.outcomes import explain

        return {"error": explain(error)}


def _made(call: Call, case: Any) -> Sample:
    """Let a tiny pipeline go through the backend, and make the call."""
    from persistbench import backends

    backend = backends.get(call.backend).trusting(call.names)
    backend.import_modules()
    tiny = backend.load(call.tiny)
    if case is None:
        return _timed(lambda: backend.load(call.path))
    with tempfile.TemporaryDirectory() as folder:
        backend.dump(backend.payload(tiny, None), str(Path(folder, "tiny")))
    payload = backend.payload(case.estimator, case.X)
    return _timed(lambda: backend.dump(payload, call.path))


def _timed(call: Callable[[], Any]) -> Sample:
    cpu, start = time.process_time(), time.perf_counter()
    result = call()
    sample = Sample(time.perf_counter() - start, time.process_time() - cpu)
    del result  # outside the clock
    return sample


def _in_fork(call: Call, case: Any) -> dict[str, Any]:
    """Return the answer of a fork, which ends with it."""
    from persistbench.system.memory import own_pages

    receiving, sending = os.pipe()
    child = os.fork()
    if not child:
        own_pages()
        os.write(sending, json.dumps(_answer(call, case)).encode())
        os._exit(0)
    os.close(sending)
    with open(receiving, encoding="utf-8") as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    result: dict[str, Any] = {"error": f"the process ended with status {status}"}
    return json.loads(said) if said else result


if __name__ == "__main__":
    _serve(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], sys.stdin, sys.stdout)
