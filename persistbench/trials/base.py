"""What every kind of trial has in common: its trials, its children, its results and records.

A kind is one file of ``attack/`` or of ``accident/``, found by discovery. The file defines one
class derived from :class:`Kind`, usually from :class:`OneByOne`. The class says its ``name``, its
``version``, its ``subjects`` and how a trial is made. What a child process does is a generator
function of the file, marked with :func:`in_child`; it yields a :class:`Result`.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, ParamSpec, Self, TypeVar

from persistbench import backends, sandbox
from persistbench.backends import Backend
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import Limits, child
from persistbench.trials.selection import Selection
from persistbench.trials.trial import Record, Task, Trial, trial

ATTACK, ACCIDENT = "attack", "accident"

LIMITS = Limits(seconds=60, memory=2 * 10**9, file_size=10**9)
"""For a fit, a dump, or a load with its use, each of which takes milliseconds, usually."""

NO_ANSWER = Verdict(Outcome.CRASH, "no answer")

_P = ParamSpec("_P")
_T = TypeVar("_T")


def in_child(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let a function run in a child of the sandbox only, where it prints nothing.

    Raises:
        UserError: (the function does) its process is no child of the sandbox.
    """

    @wraps(function)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        child.required()
        child.hush()
        return function(*args, **kwargs)

    return guarded


@dataclass(frozen=True)
class Result:
    """What is known of one trial. Derived classes add what else their records tell.

    Each attribute has a default, which stands in the record where nothing more became known.

    Attributes:
        verdict: what happened.
    """

    verdict: Verdict = NO_ANSWER

    @classmethod
    def from_child(
        cls, function: Callable[..., Iterator[Self]], *arguments: Any, limits: Limits = LIMITS
    ) -> Self:
        """Return the last result that a child yields; if the child died, with how it died.

        Args:
            function: a generator function, whose results tell more and more.
            arguments: for the function.
            limits: of the child.
        """
        result = cls()
        try:
            for answer in sandbox.answers(function, *arguments, limits=limits):
                if not isinstance(answer, cls):  # a hostile child may send anything
                    reason = "the process has sent what is no answer"
                    return replace(result, verdict=Verdict(Outcome.CRASH, reason))
                result = answer
        except sandbox.DeadError as death:
            return replace(result, verdict=death.verdict)
        return result

    @property
    def facts(self) -> dict[str, Any]:
        """What a record tells beside the verdict, by the name of the field."""
        names = (field.name for field in fields(self))
        return {name: getattr(self, name) for name in names if name != "verdict"}


@dataclass(frozen=True)
class Kind(ABC):
    """One kind of trial, for one selection. It is sent to other processes.

    Attributes:
        selection: what the user selects.
    """

    name: ClassVar[str]
    """Its name in records, such as ``bit-flip``."""

    version: ClassVar[int]
    """Of what is tried: raised with every change that can change an outcome."""

    group: ClassVar[str]
    """``attack`` or ``accident``, by the folder of its file; of other kinds, their name."""

    limits: ClassVar[Limits] = LIMITS
    """Of its children."""

    result_type: ClassVar[type[Result]] = Result
    """The class of its results."""

    shared: ClassVar[tuple[str, ...]] = ("backend",)
    """What the trials of one task have in common: attributes of :class:`Trial`."""

    selection: Selection

    def __init_subclass__(cls) -> None:
        """Take the group from the folder of the file."""
        folder = cls.__module__.split(".")[-2]
        cls.group = folder if folder in (ATTACK, ACCIDENT) else getattr(cls, "name", "")

    @property
    def backends(self) -> Sequence[Backend]:
        """Those that are tried."""
        return self.selection.backends

    @property
    @abstractmethod
    def subjects(self) -> Collection[str]:
        """What is saved, or what is done to an artifact, by name."""

    def conditions(self, subject: str, backend: Backend) -> Sequence[str | None]:
        """Return the conditions of a subject and a backend; none if the two do not fit."""
        return (None,)

    def inputs(self, subject: str, condition: str | None) -> str:
        """Return what decides the outcome beside name, version and backend, for the key.

        It tells of pipelines (``_artifacts.inputs``), of child programs, and of files that say what
        is saved (``_artifacts.code``). Other code of a kind is told by its ``version``.
        """
        return ""

    def facts(self, trial: Trial) -> dict[str, Any]:
        """Return what the record of a trial tells, whatever comes of the trial."""
        return {}

    @abstractmethod
    def results(self, trials: Sequence[Trial], folder: Path) -> Iterator[Result]:
        """Yield the result of each trial, in order; those without a result are made another time.

        Args:
            trials: of one task; the libraries of their backends are installed.
            folder: for what the trials share; removed afterwards.
        """

    def tasks(self) -> list[Task]:
        """Return all trials, in tasks."""
        tasks: dict[tuple[Any, ...], list[Trial]] = defaultdict(list)
        for backend in self.backends:
            for subject in self.subjects:
                for condition in self.conditions(subject, backend):
                    inputs = self.inputs(subject, condition)
                    one = trial(self.name, self.version, subject, backend.id, condition, inputs)
                    tasks[tuple(getattr(one, name) for name in self.shared)].append(one)
        return [Task(tuple(trials), self.make) for trials in tasks.values()]

    def make(self, trials: Sequence[Trial]) -> list[Record]:
        """Return the records of the trials of one task."""
        sandbox.preload("persistbench.trials.warm")
        known = backends.for_trials()
        unavailable = {one: known[one.backend].unavailable for one in trials}
        results = {
            one: self.result_type(Verdict(Outcome.NOT_INSTALLED, reason))
            for one, reason in unavailable.items()
            if reason
        }
        if ready := [one for one in trials if one not in results]:
            with sandbox.folder() as folder:
                results |= zip(ready, self.results(ready, folder), strict=False)
        return [
            one.record(results[one].verdict, **self.facts(one), **results[one].facts)
            for one in trials
            if one in results
        ]


class OneByOne(Kind):
    """A kind whose trials are made one after the other, each with one result."""

    def prepare(self, trial: Trial, backend: Backend, folder: Path) -> Verdict:
        """Make what all trials of a task need; anything but ``same`` is their verdict.

        Args:
            trial: the first of the task.
            backend: of all of them.
            folder: see :meth:`Kind.results`.
        """
        return Verdict(Outcome.SAME)

    @abstractmethod
    def result(self, trial: Trial, backend: Backend, folder: Path) -> Result:
        """Make one trial.

        Args:
            trial: whose result is returned.
            backend: of the trial.
            folder: see :meth:`Kind.results`.
        """

    def results(self, trials: Sequence[Trial], folder: Path) -> Iterator[Result]:
        """Prepare the trials, and yield the result of each."""
        backend = backends.for_trials()[trials[0].backend]
        prepared = self.prepare(trials[0], backend, folder)
        for one in trials:
            yield self.result(one, backend, folder) if prepared.same else self.result_type(prepared)


def each(
    function: Callable[..., Iterator[Verdict]],
    items: Sequence[Any],
    *arguments: Any,
    limits: Limits = LIMITS,
) -> Iterator[Verdict]:
    """Yield the verdict on each item. An item that kills the child costs no other item.

    Args:
        function: a generator function, called in a child with a tuple of items and the arguments.
            It yields the verdict on its preparation, and if that is ``same``, on each item. It
            may end before it comes to all items: another child does the rest.
        items: in the order of the verdicts.
        arguments: for the function.
        limits: of each child.
    """
    left = list(items)
    while before := len(left):
        prepared: Verdict | None = None
        try:
            for verdict in sandbox.answers(function, tuple(left), *arguments, limits=limits):
                if prepared is None:
                    prepared = verdict
                else:
                    yield verdict
                    left.pop(0)
        except sandbox.DeadError as death:
            if prepared is None:
                reason = f"the fit: {death.verdict.reason}"
                prepared = Verdict(Outcome.ERROR_AT_BUILD, reason)
            elif left:
                yield death.verdict
                left.pop(0)
        if len(left) == before:  # nothing became known of any item
            verdict = prepared if prepared and not prepared.same else NO_ANSWER
            yield from [verdict] * before
            return
