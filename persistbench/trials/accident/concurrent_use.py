"""Many load while one saves: is every load the old version or the new one?

Eight processes load an artifact, and compare its answers, over and over. Meanwhile another process
saves two versions of the pipeline to the same path in turn: straight to it (``own``), or beside it
with a rename (``renamed``). Each load must give one of the versions. What answers otherwise is
wrong, and worse than an error, because nothing is raised.

The second version is the first one, fitted again on its held-out rows with their answers moved by
one. Swaps are spread over the seconds, so that there are loads between them; a backend that takes
longer makes fewer, and its record says how many.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from persistbench.backends import Backend
from persistbench.case import Case
from persistbench.cases.building import BuildError
from persistbench.cells import attempt
from persistbench.cells.cell import Cell
from persistbench.errors import UnsupportedError
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import Limits, child
from persistbench.trials import _artifacts, base
from persistbench.trials.accident import _saving
from persistbench.trials.base import in_child
from persistbench.trials.trial import Trial

READERS = 8
SWAPS = 1000
SECONDS = 4.0
"""So long the saver swaps, at most; all backends together take minutes."""

ROWS = 10
"""So many held-out rows are predicted: the answers differ in the first, already."""

_NICENESS = 10
"""Readers leave the processor to the saver, or it would hardly come to save."""

_RETRY_SECONDS = 0.001
"""A failed load is quick: so long a reader pauses, or it would try nothing else."""

PATIENCE_SECONDS = 5.0
"""So long a reader may take to end, once it should stop."""


@dataclass(frozen=True)
class Result(base.Result):
    """What all readers met.

    Attributes:
        verdict: on the saves, or the worst that readers met.
        loads: how many they tried.
        wrong: how many answered like neither version.
        errors: how many failed, by class of exception or signal.
        swaps: how many saves there were.
    """

    loads: int = 0
    wrong: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    swaps: int = 0


class ConcurrentUse(base.OneByOne):
    """The first of the pipelines, ``small`` unless others are selected, in both ways to save."""

    name = "concurrent-use"
    version = 1
    limits = Limits(seconds=90, memory=2 * 10**9, file_size=10**9)
    result_type = Result

    @property
    def subjects(self) -> Sequence[str]:
        return self.selection.pipelines[:1]

    def conditions(self, subject: str, backend: Backend) -> Sequence[str]:
        return _saving.WAYS

    def inputs(self, subject: str, condition: str | None) -> str:
        return _artifacts.inputs([subject])

    def prepare(self, trial: Trial, backend: Backend, folder: Path) -> Verdict:
        if sys.platform != "linux":
            return Verdict(Outcome.UNSUPPORTED, "needs Linux's fork()")
        return Verdict(Outcome.SAME)

    def result(self, trial: Trial, backend: Backend, folder: Path) -> Result:
        cell, way = _artifacts.cell(trial.subject, trial.backend), str(trial.condition)
        own = folder / way
        own.mkdir()
        return Result.from_child(_share, cell, way, own, limits=self.limits)


# What follows runs in a child, and in those that it forks.


@dataclass(frozen=True)
class _Met:
    """What one reader met: the same as of all of them, and the first reason of each outcome."""

    loads: int = 0
    wrong: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


@in_child
def _share(cell: Cell, way: str, folder: Path) -> Iterator[Result]:
    """Save, while others load; yield what they met."""
    fork: Any = multiprocessing.get_context("fork")  # from here: this process has not computed
    ready, stop, met = fork.Event(), fork.Event(), fork.SimpleQueue()
    shared = (cell.backend, folder, ready, stop, met)
    readers = [fork.Process(target=_read, args=shared) for _ in range(READERS)]
    for one in readers:
        one.start()
    swaps = 0
    try:
        two = two_versions(cell, folder)
        swaps = _swap(cell.backend, way, two, str(folder / "model"), ready)
        verdict = Verdict(Outcome.SAME)
    except BuildError as error:
        verdict = Verdict(Outcome.ERROR_AT_BUILD, str(error))
    except UnsupportedError as error:
        verdict = Verdict(Outcome.UNSUPPORTED, str(error))
    except Exception as error:
        verdict = child.of_exception(Outcome.ERROR_AT_DUMP, error)
    stop.set()
    ready.set()
    yield _together(verdict, swaps, [*_ended(readers, met)])


def two_versions(cell: Cell, folder: Path) -> list[Any]:
    """Return what is saved in turn; what the versions answer is kept in the folder.

    Raises:
        UnsupportedError: the pipeline cannot be fitted again so that it answers otherwise.
    """
    import numpy as np
    from sklearn.base import clone

    from persistbench.integrity.answers import compare, reference

    first, original = cell.fitted.load_estimator(), cell.fitted.load_reference()
    rows = original.X[:ROWS]
    try:
        y = None if original.y is None else np.roll(original.y, 1)
        second = clone(first).fit(original.X, y)
        answers = [reference(Case(one, rows)) for one in (first, second)]
    except Exception as error:
        raise UnsupportedError(f"it cannot be fitted again: {error}") from error
    if compare(answers[0], second, cell.backend.claims).same:
        raise UnsupportedError("fitted again, it answers the same: loads could not be told apart")
    (folder / "answers").write_bytes(pickle.dumps(answers))
    return [cell.backend.payload(one, rows) for one in (first, second)]


def _swap(backend: Backend, way: str, versions: list[Any], path: str, ready: Any) -> int:
    """Save the versions in turn; return how often."""
    _saving.save(backend, way, versions[0], path)
    ready.set()
    start = time.monotonic()
    for done in range(1, SWAPS + 1):
        _saving.save(backend, way, versions[done % 2], path)
        now = time.monotonic() - start
        if now >= SECONDS:
            return done
        time.sleep(max(0.0, done * SECONDS / SWAPS - now))
    return SWAPS


def _read(backend: Backend, folder: Path, ready: Any, stop: Any, met: Any) -> None:
    """Load and compare until it is time to stop; put what was met into the queue."""
    os.nice(_NICENESS)
    backend.import_failure()
    ready.wait()
    answers = [] if stop.is_set() else pickle.loads((folder / "answers").read_bytes())
    loads, wrong, errors = 0, 0, Counter[str]()
    reasons: dict[str, str] = {}
    while not stop.is_set():
        loads += 1
        loaded, verdict = attempt.load(backend, str(folder / "model"))
        if verdict.same:
            verdict = attempt.use(backend, loaded, answers[0])
        if verdict.outcome in (Outcome.ERROR_AT_LOAD, Outcome.ERROR_AT_USE):
            errors[verdict.reason.partition(":")[0]] += 1
        elif verdict.same or attempt.use(backend, loaded, answers[1]).same:
            continue
        else:
            wrong += 1
        reasons.setdefault(verdict.outcome, verdict.reason)
        time.sleep(_RETRY_SECONDS)
    met.put(_Met(loads, wrong, dict(errors), reasons))


def _ended(readers: list[Any], met: Any) -> Iterator[_Met]:
    """Yield what readers met, and how those have died that say nothing."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for one in readers:
        one.join(max(0.0, deadline - time.monotonic()))
        if one.exitcode is None:
            one.kill()
            yield _Met(errors={"timeout": 1}, reasons={Outcome.TIMEOUT: "a load hangs"})
        elif one.exitcode:
            name = signal.Signals(-one.exitcode).name if one.exitcode < 0 else "exit"
            reason = f"a process that loads has ended by {name}"
            yield _Met(errors={name: 1}, reasons={Outcome.CRASH: reason})
    while not met.empty():
        yield met.get()


def _together(verdict: Verdict, swaps: int, readers: list[_Met]) -> Result:
    """Add up what readers met; the verdict is the worst of it, unless saves failed."""
    reasons: dict[str, str] = {}
    for one in reversed(readers):
        reasons |= one.reasons
    if verdict.same:
        worst = min(map(Outcome, reasons), key=lambda one: one.severity, default=Outcome.SAME)
        verdict = Verdict(worst, reasons.get(worst, ""))
    return Result(
        verdict,
        sum(one.loads for one in readers),
        sum(one.wrong for one in readers),
        dict(sum((Counter(one.errors) for one in readers), Counter[str]())),
        swaps,
    )
