"""Many load while one saves: is every load the old version or the new one?

Eight processes load an artifact, and compare its answers, over and over, while another saves two
versions of the pipeline to the same path in turn: straight to it (``own``), or beside it with a
rename (``renamed``). Whoever loads must find one of the versions; what answers otherwise is wrong
without a word, and worse than an error.

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
from functools import partial
from pathlib import Path
from typing import Any, Literal

from persistbench import backends, sandbox
from persistbench.backends import Backend
from persistbench.case import Case
from persistbench.cases.fitted import BuildError
from persistbench.cells import attempt
from persistbench.cells.cell import Cell
from persistbench.errors import UnsupportedError
from persistbench.outcomes import WORST, Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import _artifacts, campaign
from persistbench.trials.accident import _methods
from persistbench.trials.campaign import Record, Task, Trial
from persistbench.trials.kinds import Selection

KIND = "concurrent-use"
GROUP: Literal["attack", "accident"] = "accident"
VERSION = 1

READERS = 8
SWAPS = 1000
SECONDS = 4.0
"""So long the saver swaps, at most; all backends together take minutes."""

ROWS = 10
"""So many held-out rows are asked about: the answers differ in the first, already."""

LIMITS = sandbox.Limits(seconds=90, memory=2 * 10**9, file_size=10**9)
_NICENESS = 10
"""Readers leave the processor to the saver, or it would hardly come to save."""

_RETRY_SECONDS = 0.001
"""A failed load is quick: so long a reader pauses, or it would try nothing else."""

_PATIENCE_SECONDS = 5.0
"""So long a reader may take to end, once it is told to."""


def tasks(selection: Selection) -> list[Task]:
    """Return a task for each backend, with the first of the pipelines: ``small``."""
    pipeline = selection.pipelines[0]
    return [
        Task(
            tuple(
                campaign.trial(
                    KIND,
                    VERSION,
                    pipeline,
                    backend.id,
                    condition,
                    made_of=_artifacts.cell(pipeline, backend.id).pipeline.key,
                )
                for condition in _methods.CONDITIONS
            ),
            make,
        )
        for backend in selection.backends
    ]


@dataclass(frozen=True)
class Result:
    """What one reader has met, or all of them.

    Attributes:
        verdict: on the saves, or the worst that readers met.
        loads: how many they tried.
        wrong: how many answered like neither version.
        errors: how many failed, by class of exception or signal.
        reasons: the first reason of each outcome.
        swaps: how many saves there were.
    """

    verdict: Verdict = field(default_factory=partial(Verdict, Outcome.SAME))
    loads: int = 0
    wrong: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    swaps: int = 0


def make(trials: Sequence[Trial]) -> list[Record]:
    """Return the records of one backend's trials."""
    sandbox.preload("persistbench.sandbox.warm_libraries")
    return [_record(trial, _tried(trial)) for trial in trials]


def _record(trial: Trial, found: Result) -> Record:
    return trial.record(
        found.verdict,
        loads=found.loads,
        wrong=found.wrong,
        errors=found.errors,
        swaps=found.swaps,
    )


def _tried(trial: Trial) -> Result:
    backend = backends.for_trials()[trial.backend]
    if backend.missing:
        return Result(Verdict(Outcome.NOT_INSTALLED, backend.unavailable))
    if sys.platform != "linux":
        return Result(Verdict(Outcome.UNSUPPORTED, "needs Linux's fork()"))
    cell = _artifacts.cell(trial.subject, trial.backend)
    with sandbox.folder() as folder:
        try:
            (result,) = sandbox.answers(_share, cell, trial.condition, folder, limits=LIMITS)
        except sandbox.DeadError as death:
            return Result(death.verdict)
    assert isinstance(result, Result)  # noqa: S101 (see _share)
    return result


# What follows runs in a child, and in those that it forks.


def _share(cell: Cell, condition: str, folder: Path) -> Iterator[Result]:
    """Save, while others load; yield what they have met."""
    child.required()
    child.hush()
    fork: Any = multiprocessing.get_context("fork")  # from here: this process has not computed
    ready, stop, told = fork.Event(), fork.Event(), fork.SimpleQueue()
    shared = (cell.backend, folder, ready, stop, told)
    readers = [fork.Process(target=_read, args=shared) for _ in range(READERS)]
    for one in readers:
        one.start()
    swaps = 0
    try:
        versions = _versions(cell, folder)
        swaps = _swap(cell.backend, condition, versions, str(folder / "model"), ready)
        verdict = Verdict(Outcome.SAME)
    except BuildError as error:
        verdict = Verdict(Outcome.ERROR_AT_BUILD, str(error))
    except UnsupportedError as error:
        verdict = Verdict(Outcome.UNSUPPORTED, str(error))
    except Exception as error:
        verdict = child.of_exception(Outcome.ERROR_AT_DUMP, error)
    stop.set()
    ready.set()
    yield _together(verdict, swaps, [*_ended(readers, told)])


def _versions(cell: Cell, folder: Path) -> list[Any]:
    """Return what is saved in turn; what the versions answer is kept in the folder.

    Raises:
        UnsupportedError: the pipeline cannot be fitted again so that it answers otherwise.
    """
    import numpy as np
    from sklearn.base import clone

    from persistbench.integrity.answers import compare, reference

    first, said = cell.fitted.load_estimator(), cell.fitted.load_reference()
    rows = said.X[:ROWS]
    try:
        second = clone(first).fit(said.X, None if said.y is None else np.roll(said.y, 1))
        answers = [reference(Case(one, rows)) for one in (first, second)]
    except Exception as error:
        raise UnsupportedError(f"it cannot be fitted again: {error}") from error
    if compare(answers[0], second, cell.backend.claims).same:
        raise UnsupportedError("fitted again, it answers the same: loads could not be told apart")
    (folder / "answers").write_bytes(pickle.dumps(answers))
    return [cell.backend.payload(one, rows) for one in (first, second)]


def _swap(backend: Backend, condition: str, versions: list[Any], path: str, ready: Any) -> int:
    """Save the versions in turn; return how often."""
    _methods.save(backend, condition, versions[0], path)
    ready.set()
    start = time.monotonic()
    for done in range(1, SWAPS + 1):
        _methods.save(backend, condition, versions[done % 2], path)
        now = time.monotonic() - start
        if now >= SECONDS:
            return done
        time.sleep(max(0.0, done * SECONDS / SWAPS - now))
    return SWAPS


def _read(backend: Backend, folder: Path, ready: Any, stop: Any, told: Any) -> None:
    """Load and compare until it is time to stop; tell what was met."""
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
    told.put(Result(loads=loads, wrong=wrong, errors=dict(errors), reasons=reasons))


def _ended(readers: list[Any], told: Any) -> Iterator[Result]:
    """Yield what readers tell, and how those have died that tell nothing."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for one in readers:
        one.join(max(0.0, deadline - time.monotonic()))
        if one.exitcode is None:
            one.kill()
            yield Result(errors={"timeout": 1}, reasons={Outcome.TIMEOUT: "a load hangs"})
        elif one.exitcode:
            name = signal.Signals(-one.exitcode).name if one.exitcode < 0 else "exit"
            reason = f"a process that loads has ended by {name}"
            yield Result(errors={name: 1}, reasons={Outcome.CRASH: reason})
    while not told.empty():
        yield told.get()


def _together(verdict: Verdict, swaps: int, readers: list[Result]) -> Result:
    """Add up what readers have met; the verdict is the worst of it, unless saves failed."""
    reasons: dict[str, str] = {}
    for one in reversed(readers):
        reasons |= one.reasons
    if verdict.same:
        worst = next((outcome for outcome in WORST if outcome in reasons), Outcome.SAME)
        verdict = Verdict(worst, reasons.get(worst, ""))
    return Result(
        verdict,
        sum(one.loads for one in readers),
        sum(one.wrong for one in readers),
        dict(sum((Counter(one.errors) for one in readers), Counter[str]())),
        reasons,
        swaps,
    )
