"""Is it exact? Every pipeline, saved by every backend and opened where it was never seen.

The suite compares predictions before anything is timed. Here an interpreter of its own opens each
artifact and compares more: every attribute, the parameters, a clone that is fitted again, and the
bytes of a second dump. It also compares what users know from their reports: accuracy, precision,
recall, F1 and the confusion matrix, on a balanced set and on one with 1 % positives.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from persistbench.cases import catalogue
from persistbench.cases.building import BuildError
from persistbench.cases.fitted import fit
from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import base, exactness_child
from persistbench.trials.trial import Trial

LIMIT_SECONDS = 600.0


@dataclass(frozen=True)
class Result(base.Result):
    """What an interpreter that has never seen the pipeline says of an artifact.

    Attributes:
        bytes: of the artifact.
        label_changes: see :class:`persistbench.outcomes.Verdict`.
        largest_difference: see :class:`persistbench.outcomes.Verdict`.
        checks: what is wrong, by check; empty texts where nothing is.
        metrics: scores before and after, by set.
        steps: the parts of the artifact.
    """

    bytes: int | None = None
    label_changes: int | None = None
    largest_difference: float | None = None
    checks: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)


class Exactness(base.Kind):
    """Pipelines; one process saves a pipeline with all backends."""

    name = "exactness"
    version = 3
    shared = ("subject",)
    result_type = Result

    @property
    def subjects(self) -> Sequence[str]:
        return self.selection.pipelines

    def results(self, trials: Sequence[Trial], folder: Path) -> Iterator[Result]:
        name = trials[0].subject
        try:
            fit(catalogue.get(name))
        except BuildError as error:
            yield from [Result(error.verdict)] * len(trials)
            return
        saved = _child("save", name, str(folder), *(one.backend for one in trials))
        for one in trials:
            yield _result(name, one.backend, folder, saved)


def _result(name: str, backend_id: str, folder: Path, saved: dict[str, Any]) -> Result:
    """Return the result of one backend.

    Args:
        name: of the pipeline.
        backend_id: of the backend.
        folder: that holds the artifacts.
        saved: what the process says that saved them all.
    """
    if "outcome" in saved:  # that process has died: one for each backend tells whose fault it was
        saved = _child("save", name, str(folder), backend_id)
    if "outcome" in saved:
        return _known(saved)
    if backend_id in saved["failed"]:
        outcome, reason = saved["failed"][backend_id]
        return Result(Verdict(Outcome(outcome), reason))
    facts = _child("load", name, str(folder), backend_id)
    (folder / backend_id).unlink()
    if facts.get("checks") and backend_id in saved["varying"]:
        facts["checks"] |= _VARYING
    return _known(facts)


_VARYING = {
    "deterministic": "a second dump of the estimator differs",
    "second dump": "n/a: two dumps are never the same",
}


def _known(facts: dict[str, Any]) -> Result:
    """Return the result that a child tells as outcome, reason and other facts."""
    verdict = Verdict(Outcome(facts.pop("outcome")), facts.pop("reason"))
    return Result(verdict, **facts)


def _child(action: str, *arguments: str) -> dict[str, Any]:
    """Return what the child's program says; an outcome and its reason if it says nothing."""
    # -P: the folder of the program holds modules, and is no place to import from.
    program = [sys.executable, "-P", "-m", exactness_child.__name__]
    try:
        done = subprocess.run(  # noqa: S603 (our own program)
            [*program, action, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"outcome": Outcome.TIMEOUT, "reason": f"not finished after {LIMIT_SECONDS:g} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        reason = f"{action}: exit status {done.returncode}, {last}"[:300]
        return {"outcome": Outcome.CRASH, "reason": reason}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
