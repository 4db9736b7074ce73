"""Trials of faults in right artifacts: many faults in each cell, in batches, a record each."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from persistbench import sandbox
from persistbench.backends import Backend
from persistbench.cases import building
from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import _artifacts, base
from persistbench.trials.accident import _damage
from persistbench.trials.accident._damage import Fault
from persistbench.trials.trial import Trial

BATCH = 50
"""Faults in one record."""


@dataclass(frozen=True)
class Result(base.Result):
    """What the faults of one batch did; the verdict is the one that costs a user most.

    Attributes:
        bytes: of the artifact.
        counts: number of faults by outcome.
        errors: number of faults by exception or signal.
        silent: offset, bit, outcome and reason of each fault that did harm and raised nothing.
        tried: number of faults.
    """

    bytes: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    silent: list[list[Any]] = field(default_factory=list)
    tried: int = 0


class Faults(base.Kind):
    """A plan of faults for each cell; each trial is a batch of faults."""

    shared = ("subject", "backend")
    result_type = Result
    limits = building.limits(_damage.LIMITS.seconds * BATCH + 60)

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of faults in each cell."""

    @abstractmethod
    def plan(self, seed: str, size: int) -> list[Fault]:
        """Return the faults of a cell.

        Args:
            seed: names the cell.
            size: bytes of its artifact.
        """

    @property
    def subjects(self) -> Sequence[str]:
        return self.selection.pipelines

    def conditions(self, subject: str, backend: Backend) -> Sequence[str]:
        starts = range(0, self.count, BATCH)
        return [f"{start:05d}-{min(start + BATCH, self.count) - 1:05d}" for start in starts]

    def inputs(self, subject: str, condition: str | None) -> str:
        return _artifacts.inputs([subject])

    def facts(self, trial: Trial) -> dict[str, Any]:
        return {"wanted": self.count}

    def results(self, trials: Sequence[Trial], folder: Path) -> Iterator[Result]:
        cell = _artifacts.cell(trials[0].subject, trials[0].backend)
        verdict = _artifacts.right(cell)
        if not verdict.same:
            yield from _not_begun(verdict, len(trials))
            return
        size = cell.artifact.stat().st_size
        planned = self.plan(f"{self.name}/{cell.pipeline.name}/{cell.backend.id}", size)
        batches = [_batch(planned, trial) for trial in trials]
        left = list(batches)
        try:
            work = (cell, batches, self.selection.patience)
            with closing(sandbox.answers(_damage.try_all, *work, limits=self.limits)) as answers:
                undamaged = next(answers)
                if not undamaged.same:
                    yield from _not_begun(undamaged, len(trials))
                    return
                for verdicts in answers:
                    if isinstance(verdicts, Verdict):
                        yield from _not_begun(verdicts, len(left))
                        return
                    yield _together(left.pop(0), verdicts, size)
        except sandbox.DeadError as death:
            yield from _not_begun(death.verdict, len(left))


def _not_begun(verdict: Verdict, count: int) -> Iterator[Result]:
    """Yield the results of batches that could not begin: nothing was tried, no fault is counted.

    An outcome that damage can have is not theirs: nobody shall read it as damage that was noticed.
    Where the machine is to blame there are no results, and the batches are made another time.
    """
    if verdict.machine_fault:
        return
    if not verdict.outcome.refusal and verdict.outcome is not Outcome.ERROR_AT_BUILD:
        reason = f"nothing was damaged, {verdict.outcome}: {verdict.reason}"
        verdict = replace(verdict, outcome=Outcome.UNSUPPORTED, reason=reason)
    yield from [Result(verdict)] * count


def _batch(planned: list[Fault], trial: Trial) -> list[Fault]:
    first, last = map(int, str(trial.condition).split("-"))
    return planned[first : last + 1]


def _together(batch: Sequence[Fault], verdicts: Sequence[Verdict], size: int) -> Result:
    """Return what the faults of one batch did."""
    names = [name for name in map(_name, verdicts) if name]
    return Result(
        replace(worst(verdicts), fault=None),  # the damage is ours
        size,
        counts=dict(Counter(str(verdict.outcome) for verdict in verdicts)),
        errors=dict(Counter(names)),
        silent=[
            [fault.offset, fault.bit, verdict.outcome, verdict.reason[:120]]
            for fault, verdict in zip(batch, verdicts, strict=True)
            if _harms(verdict.outcome)
        ],
        tried=len(verdicts),
    )


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict that costs a user most."""
    return min(verdicts, key=lambda verdict: verdict.outcome.severity)


def _harms(outcome: Outcome) -> bool:
    """Return whether a fault did harm, and no error told of it."""
    return outcome.died or (outcome.came_back and outcome is not Outcome.SAME)


def _name(verdict: Verdict) -> str:
    """Return the class of the exception, or the signal; empty where there is none."""
    if verdict.outcome is Outcome.CRASH:
        return next((word for word in verdict.reason.split() if word.startswith("SIG")), "crash")
    if verdict.outcome in (Outcome.ERROR_AT_LOAD, Outcome.ERROR_AT_USE):
        return verdict.reason.partition(":")[0].split()[0]
    return ""
