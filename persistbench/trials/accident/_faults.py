"""Damages right artifacts, one fault at a time, and says what a user would notice.

The artifact is damaged in a folder of its own. Children load it, compare what it holds, use it and
compare the answers. They are forked from a process that has only imported libraries and read what
the original answered, so that nothing one fault has done to a process reaches the next.
"""

import pickle
import shutil
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from persistbench import sandbox
from persistbench.cells.cell import Cell
from persistbench.integrity.answers import Reference
from persistbench.outcomes import WORST, Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import _artifacts, campaign
from persistbench.trials.campaign import Record, Task, Trial
from persistbench.trials.kinds import Selection

BATCH = 50
"""Faults in one record."""

LIMITS = child.Limits(seconds=20.0, memory=2 * 10**9, file_size=10**9)
"""For a load and its use; a fault in a length may ask for any memory, and one in a count loop."""

QUICK_SECONDS = 0.02
"""Where the undamaged artifact is opened within this time, a child tries several faults."""

NOTICED = (Outcome.SAME, Outcome.ERROR_AT_USE, Outcome.ERROR_AT_LOAD)


@dataclass(frozen=True)
class Fault:
    """One damage.

    Attributes:
        offset: in bytes from the start of the artifact.
        bit: which bit is flipped there; None if the artifact ends there.
    """

    offset: int
    bit: int | None = None


Plan = Callable[[str, int, int], list[Fault]]
"""Returns the faults for a seed, the bytes of the artifact, and a number of faults."""


def tasks(kind: str, version: int, plan: Plan, count: int, selection: Selection) -> list[Task]:
    """Return a task for each cell; each of its trials is a batch of faults.

    Args:
        kind: of the trials.
        version: of the kind.
        plan: a function of a module, because it is sent to other processes.
        count: of faults in each cell.
        selection: cells and patience.
    """
    starts = range(0, count, BATCH)
    batches = [f"{start:05d}-{min(start + BATCH, count) - 1:05d}" for start in starts]
    return [
        Task(
            tuple(
                campaign.trial(kind, version, name, backend.id, batch, cell.pipeline.key)
                for batch in batches
            ),
            partial(make, cell, plan, count, selection.patience),
        )
        for name in selection.pipelines
        for backend in selection.backends
        for cell in [_artifacts.cell(name, backend.id)]
    ]


def make(
    cell: Cell, plan: Plan, count: int, patience: float, trials: Sequence[Trial]
) -> list[Record]:
    """Return the records of those batches of one cell for which there is time."""
    sandbox.preload("persistbench.sandbox.warm_libraries")
    verdict = _artifacts.right(cell)
    if not verdict.same:
        return [trial.record(verdict, **_facts([], [], count)) for trial in trials]
    size = cell.artifact.stat().st_size
    planned = plan(f"{trials[0].kind}/{cell.pipeline.name}/{cell.backend.id}", size, count)
    batches = [_batch(planned, trial) for trial in trials]
    result = sandbox.answers(
        try_all,
        cell,
        _artifacts.original(cell),
        batches,
        patience,
        limits=child.Limits(LIMITS.seconds * BATCH + 60),
    )
    records: list[Record] = []
    try:
        undamaged = next(result)
        if not undamaged.same:
            return [trial.record(undamaged, **_facts([], [], count)) for trial in trials]
        for trial, batch, verdicts in zip(trials, batches, result, strict=False):
            facts = _facts(batch, verdicts, count)
            records.append(trial.record(worst(verdicts), bytes=size, **facts))
    except sandbox.DeadError as death:
        # It is the process that forks which has died, and no fault is the reason.
        left = trials[len(records) :]
        records += [trial.record(death.verdict, **_facts([], [], count)) for trial in left]
    finally:
        result.close()
    return records


def _batch(planned: list[Fault], trial: Trial) -> list[Fault]:
    first, last = map(int, str(trial.condition).split("-"))
    return planned[first : last + 1]


def try_all(
    cell: Cell, original: bytes, batches: list[list[Fault]], patience: float
) -> Iterator[Any]:
    """Yield the verdict on the undamaged artifact, then a list for each batch, while there is time.

    Args:
        cell: whose artifact is right.
        original: see :func:`persistbench.trials._artifacts.original`.
        batches: the faults.
        patience: seconds; a batch that has begun is ended.
    """
    child.required()
    child.hush()
    sandbox.fork_from_here()
    path = Path("artifact").absolute()
    shutil.copyfile(cell.artifact, path)
    tried = _Tried(cell, path, *pickle.loads(original))
    started = time.monotonic()
    seconds = yield from _undamaged(tried)
    for batch in batches:
        if time.monotonic() - started > patience:
            return
        yield list(_verdicts(tried, batch, together=seconds < QUICK_SECONDS))


@dataclass(frozen=True)
class _Tried:
    """What is opened again and again.

    Attributes:
        cell: whose artifact is right.
        path: of the copy that is damaged.
        reference: what the original answers.
        held: what it holds.
    """

    cell: Cell
    path: Path
    reference: Reference
    held: Any

    def open(self) -> Verdict:
        """Load it, use it and compare, as it is now."""
        return _artifacts.opened(self.cell.backend, self.path, self.reference, self.held)


def _undamaged(tried: _Tried) -> Generator[Any, None, float]:
    """Yield the verdict on the undamaged artifact; return the seconds that it takes."""
    verdict, seconds = Verdict(Outcome.CRASH, "no answer"), 0.0
    try:
        for verdict, seconds in sandbox.answers(_time, tried, limits=LIMITS):  # noqa: B007
            pass
    except sandbox.DeadError as death:
        verdict = death.verdict
    yield verdict
    return seconds


def _time(tried: _Tried) -> Iterator[tuple[Verdict, float]]:
    tried.open()  # the first time is that of imports
    started = time.perf_counter()
    verdict = tried.open()
    yield verdict, time.perf_counter() - started


def _verdicts(tried: _Tried, batch: list[Fault], together: bool) -> Iterator[Verdict]:
    """Yield the verdict on each fault.

    Args:
        tried: what is damaged.
        batch: the faults.
        together: whether one child tries several faults in turn, because opening is quicker than
            forking. It then opens the undamaged artifact after each fault, and ends if that is
            not what it should be. A fault that may have killed it is tried again by a child of
            its own, whose verdict counts.
    """
    left, alone = batch, not together
    while left:
        group = left[:1] if alone else left
        alone = not together
        verdict = None
        try:
            for answer in sandbox.answers(_open_each, tried, group, limits=LIMITS):
                if isinstance(answer, Verdict):
                    verdict = answer
                else:  # nothing has happened to the child
                    yield cast(Verdict, verdict)
                    left = left[1:]
        except sandbox.DeadError as death:
            shutil.copyfile(tried.cell.artifact, tried.path)
            if len(group) == 1:
                yield death.verdict
                left = left[1:]
            else:
                alone = True


def _open_each(tried: _Tried, faults: list[Fault]) -> Iterator[Verdict | bool]:
    """Yield two answers for each fault: the verdict, and True."""
    child.required()
    child.hush()
    for fault in faults:
        with damaged(tried.path, tried.cell.artifact, fault):
            yield tried.open()
        yield True
        if len(faults) > 1 and not tried.open().same:
            return


@contextmanager
def damaged(path: Path, intact: Path, fault: Fault) -> Iterator[None]:
    """Damage a file in place, and mend it afterwards.

    Args:
        path: of the file.
        intact: a file with the same bytes.
        fault: what is done to it.
    """
    with path.open("r+b", buffering=0) as file, intact.open("rb") as whole:
        file.seek(fault.offset)
        whole.seek(fault.offset)
        if fault.bit is None:
            file.truncate()
        else:
            file.write(bytes([whole.read(1)[0] ^ (1 << fault.bit)]))
        try:
            yield
        finally:
            file.seek(fault.offset)
            whole.seek(fault.offset)
            if fault.bit is None:
                shutil.copyfileobj(whole, file)
            else:
                file.write(whole.read(1))


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict that costs a user most."""
    return min(verdicts, key=lambda verdict: WORST.index(verdict.outcome))


def _facts(batch: Sequence[Fault], verdicts: Sequence[Verdict], selection: int) -> dict[str, Any]:
    """Return what a record holds.

    Returns:
        ``counts``: by outcome; ``errors``: by exception or signal; ``silent``: offset, bit,
        outcome and reason of all that did harm and raised nothing; ``tried``: faults in this
        record; ``wanted``: faults in the cell.
    """
    paired = list(zip(batch, verdicts, strict=True))
    return {
        "counts": dict(Counter(str(verdict.outcome) for verdict in verdicts)),
        "errors": dict(Counter(_name(verdict) for verdict in verdicts if _name(verdict))),
        "silent": [
            [fault.offset, fault.bit, verdict.outcome, verdict.reason[:120]]
            for fault, verdict in paired
            if verdict.outcome not in NOTICED
        ],
        "tried": len(paired),
        "wanted": selection,
    }


def _name(verdict: Verdict) -> str:
    """Return the class of the exception, or the signal; empty where there is none."""
    if verdict.outcome is Outcome.CRASH:
        return next((word for word in verdict.reason.split() if word.startswith("SIG")), "crash")
    if verdict.outcome in (Outcome.ERROR_AT_LOAD, Outcome.ERROR_AT_USE):
        return verdict.reason.partition(":")[0].split()[0]
    return ""
