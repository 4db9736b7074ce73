"""Builds a pipeline in a process of its own, and gives the fresh pipeline to forks of that process.

What ``build()`` returned is the truth: it is dumped before anything has asked it, saved it or
loaded it. Nothing that the pipeline's file does, when it is imported or when its ``build()`` runs,
reaches another pipeline: global configuration, threads and an exit end with the process.
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from persistbench import sandbox
from persistbench.case import Case
from persistbench.cases.catalogue import Pipeline
from persistbench.errors import UserError
from persistbench.integrity.answers import reference
from persistbench.outcomes import Blame, Outcome, Verdict, explain
from persistbench.sandbox import Limits, child
from persistbench.system import control_groups

SECONDS = 600.0
"""For a fit, for a dump, and for a load with its use."""

FORK_SECONDS = 60.0
"""For a job in a fork of the process that has built: OpenMP waits there for ever for threads that
only the parent has. A job that is not done by then is done in a process that builds again."""


def limits(seconds: float | None = None) -> Limits:
    """Return the limits of a process that does something with one pipeline.

    The process may take half of the memory that the machine, or its control group, has.
    """
    whole = min(psutil.virtual_memory().total, control_groups.memory_left())
    return Limits(seconds or SECONDS, memory=int(whole / 2))


class BuildError(Exception):
    """A pipeline cannot be built; the text of this error is the reason in the cells.

    Attributes:
        verdict: ``error-at-build``, ``not-installed`` if a library is missing, or ``unsupported``
            if our check cannot keep what the pipeline answers.
    """

    def __init__(self, verdict: Verdict) -> None:
        """Take the verdict."""
        super().__init__(verdict.reason)
        self.verdict = verdict

    @property
    def missing_library(self) -> bool:
        """Whether only a library that the pipeline imports is missing."""
        return self.verdict.outcome is Outcome.NOT_INSTALLED


@dataclass(frozen=True)
class Job:
    """What is done with a fresh pipeline.

    Attributes:
        function: takes the :class:`~persistbench.case.Case` and the arguments, and returns facts:
            a dataclass of numbers and texts.
        arguments: for the function.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Done:
    """What became of a job.

    Attributes:
        facts: what the function returned; a ``crash`` or a ``timeout`` if the process died.
        original: path of the pickled :class:`~persistbench.integrity.answers.Reference`: what the
            pipeline that the job was done with answers.
    """

    facts: Any
    original: Path

    @property
    def died(self) -> bool:
        """Whether the process died that did the job."""
        return isinstance(self.facts, Verdict) and self.facts.outcome.died


def do(pipeline: Pipeline, jobs: Sequence[Job], folder: Path) -> list[Done]:
    """Build a pipeline and do the jobs, in order.

    The jobs are done in forks of the process that has built. A job whose fork dies is done again in
    a process that builds for this job alone.

    Args:
        pipeline: what is built.
        jobs: at least one.
        folder: for the answers of the original.

    Raises:
        BuildError: the pipeline cannot be built, or it does not answer.
    """
    done: list[Done] = []
    forks = True
    while len(done) < len(jobs):
        left = jobs[len(done) :] if forks else jobs[len(done) : len(done) + 1]
        original = folder / f"original-{len(done)}-{'forks' if forks else 'alone'}"
        facts, complete = _run(pipeline, left, original, forks)
        own = [Done(one, original) for one in facts]
        if not forks:
            forks = own[-1].died  # if it died here, too, then forks are not to blame
        elif not complete or own[-1].died:
            own = own[:-1] if complete else []
            forks = False
        done += own
    return done


def _run(
    pipeline: Pipeline, jobs: Sequence[Job], original: Path, forks: bool
) -> tuple[list[Any], bool]:
    """Return the facts of the jobs that were done, and whether the original has told its answers.

    Raises:
        BuildError: see :func:`do`.
    """
    received: list[Any] = []
    death: Verdict | None = None
    try:
        for answer in sandbox.answers(
            _build, pipeline, tuple(jobs), str(original), forks, limits=limits()
        ):
            received.append(answer)
    except sandbox.DeadError as error:
        death = error.verdict
    if not received:
        raise _dead("build()", death)
    built, *facts = received
    if not built.same:
        raise BuildError(built)
    if death is None:
        *facts, told = facts
        if not told.same:
            raise BuildError(told)
        return facts, True
    if len(facts) == len(jobs):
        raise _dead("asking the fitted pipeline", death)
    return ([*facts, death] if not forks else facts), False


def _dead(stage: str, death: Verdict | None) -> BuildError:
    """Return the error of a pipeline that ends its own process."""
    death = death or Verdict(Outcome.CRASH, "no answer")
    reason = death.reason if death.machine_fault else f"{stage}: {death.reason}"
    return BuildError(Verdict(Outcome.ERROR_AT_BUILD, reason, fault=death.fault))


def _build(
    pipeline: Pipeline, jobs: Sequence[Job], original: str, forks: bool
) -> Iterator[Verdict | Any]:
    """Yield the verdict on the build, the facts of the jobs, and the verdict on its answers.

    A fork that dies is the last one.
    """
    child.hush()
    case, built = _built(pipeline)
    yield built
    if case is None:
        return
    with sandbox.forking():
        for job in jobs:
            facts = _in_fork(job, case) if forks else _facts(job, case)
            yield facts
            if isinstance(facts, Verdict) and facts.outcome.died:
                break
    # Last of all, and here: asking can change a pipeline, and OpenMP's threads are here.
    yield _answered(case, original)


def _built(pipeline: Pipeline) -> tuple[Case | None, Verdict]:
    try:
        return pipeline.build(), Verdict(Outcome.SAME)
    except ModuleNotFoundError as error:
        if error.name and find_spec(error.name.split(".")[0]) is None:
            return None, Verdict(Outcome.NOT_INSTALLED, explain(error))
        return None, _of_pipeline(error)
    except UserError as error:
        return None, Verdict(Outcome.ERROR_AT_BUILD, str(error))
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        return None, _of_pipeline(error)


def _of_pipeline(error: BaseException) -> Verdict:
    return child.of_exception(Outcome.ERROR_AT_BUILD, error)


def _answered(case: Case, original: str) -> Verdict:
    """Ask the original, and write what it answers."""
    try:
        answers = reference(case)
    except UserError as error:
        return Verdict(Outcome.ERROR_AT_BUILD, str(error))
    except Exception as error:
        return _of_pipeline(error)
    try:
        Path(original).write_bytes(_pickled(answers))
    except (OSError, MemoryError) as error:
        return _of_pipeline(error)
    except Exception as error:
        reason = (
            "our check cannot keep the held-out rows, or the answers to them, for another process "
            f"({explain(error)}): give rows that pickle saves"
        )
        return Verdict(Outcome.UNSUPPORTED, reason, fault=Blame.CHECK)
    return Verdict(Outcome.SAME)


def _pickled(answers: Any) -> bytes:
    """Return a pickle; by cloudpickle where a class is known to this process only."""
    try:
        return pickle.dumps(answers, protocol=5)
    except (pickle.PicklingError, AttributeError, TypeError):
        import cloudpickle

        result: bytes = cloudpickle.dumps(answers)
        return result


def _facts(job: Job, case: Case) -> Any:
    try:
        return job.function(case, *job.arguments)
    except Exception as error:
        return child.of_exception(Outcome.CRASH, error)


def _in_fork(job: Job, case: Case) -> Any:
    """Return what a fork of this process says; how it died if it says nothing."""
    try:
        (facts,) = sandbox.answers(_once, job, case, limits=limits(FORK_SECONDS))
    except sandbox.DeadError as death:
        return death.verdict
    return facts


def _once(job: Job, case: Case) -> Iterator[Any]:
    from persistbench.integrity.asking import one_thread

    with one_thread():  # the pool of OpenMP's threads is the parent's
        yield _facts(job, case)
