"""Is it exact? Every pipeline, saved by every backend and opened where it was never seen.

The suite compares predictions before anything is timed. Here an interpreter of its own opens each
artifact and compares more: every attribute, the parameters, a clone that is fitted again, and the
bytes of a second dump. It also compares what users know from their reports: accuracy, precision,
recall, F1 and the confusion matrix, on a balanced set and on one with 1 % positives.

The truth is the fresh pipeline: each backend dumps what ``build()`` returned, in a fork of the
process that has built it. Other forks ask it for its parameters, its clone and its metrics.
"""

import filecmp
import json
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from persistbench.backends import Backend
from persistbench.case import Case
from persistbench.cases import building, catalogue
from persistbench.cases.building import BuildError, Done, Job
from persistbench.cells import attempt
from persistbench.cells.cell import Cell
from persistbench.integrity.asking import one_thread
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import _artifacts, base, exactness_child
from persistbench.trials.base import in_child
from persistbench.trials.exactness_child import FACTS, Fact, Request, failed
from persistbench.trials.trial import Trial

CLOCK_SECONDS = 2.1
"""Between two dumps of one estimator: a zip tells the time in steps of two seconds."""


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
    """Pipelines; one process builds a pipeline for all backends."""

    name = "exactness"
    version = 4
    shared = ("subject",)
    result_type = Result

    @property
    def subjects(self) -> Sequence[str]:
        return self.selection.pipelines

    def inputs(self, subject: str, condition: str | None) -> str:
        return f"{_artifacts.inputs([subject])} {_artifacts.code(exactness_child.__file__)}"

    def results(self, trials: Sequence[Trial], folder: Path) -> Iterator[Result]:
        pipeline = catalogue.get(trials[0].subject)
        cells = [_artifacts.cell(one.subject, one.backend) for one in trials]
        dumps = [
            Job(dumped, (cell.backend, str(folder / cell.backend.id), CLOCK_SECONDS))
            for cell in cells
        ]
        # Last come those that ask the pipeline, because they may take long or die.
        asked = [Job(told, (name, str(folder / f"fact {name}"))) for name in FACTS]
        try:
            done = building.do(pipeline, [*dumps, *asked], folder)
        except BuildError as error:
            yield from [Result(error.verdict)] * len(trials)
            return
        facts = {
            name: Fact(str(folder / f"fact {name}"), str(one.original), _reason(one))
            for name, one in zip(FACTS, done[len(cells) :], strict=True)
        }
        for cell, one in zip(cells, done, strict=False):
            yield self._result(cell, one, facts, folder / cell.backend.id)

    def _result(self, cell: Cell, saved: Done, facts: dict[str, Fact], path: Path) -> Result:
        """Return the result of one backend.

        Args:
            cell: of the backend.
            saved: what became of its dumps.
            facts: what the fresh pipeline told, by check.
            path: of the artifact.
        """
        if isinstance(saved.facts, Verdict):  # that process has died
            return Result(saved.facts)
        if not saved.facts.verdict.same:
            return Result(saved.facts.verdict)
        request = Request(
            cell.backend.id, cell.pipeline.trusted, str(path), str(saved.original), facts
        )
        work = json.dumps(asdict(request))
        result = Result.from_child(opened, work, limits=building.limits())
        path.unlink()
        if result.checks and saved.facts.varying:
            checks = {"deterministic": saved.facts.varying, "second dump": _NEVER_THE_SAME}
            result = replace(result, checks=result.checks | checks)
        return result


_NEVER_THE_SAME = "n/a: two dumps are never the same"


def _reason(asked: Done) -> str:
    """Return why the fresh pipeline has not told a fact; empty if it has."""
    if isinstance(asked.facts, Verdict):  # that process has died
        return failed(asked.facts.reason)
    return str(asked.facts.reason)


@dataclass(frozen=True)
class Saved:
    """What became of two dumps of a fresh pipeline.

    Attributes:
        verdict: on the first dump.
        varying: what is wrong with the second; empty if it is the same as the first.
    """

    verdict: Verdict
    varying: str = ""


def dumped(case: Case, backend: Backend, path: str, pause: float) -> Saved:
    """Dump a fresh pipeline, and once more when the clock shows another time, after a pause."""
    began = time.monotonic()
    verdict = attempt.dump(backend, case.estimator, case.X, path)
    if not verdict.same:
        return Saved(verdict)
    time.sleep(max(0.0, began + pause - time.monotonic()))
    again = Path(f"{path}.again")
    try:
        second = attempt.dump(backend, case.estimator, case.X, str(again))
        if not second.same:
            return Saved(verdict, f"a second dump of the estimator fails: {second.reason}")
        same = filecmp.cmp(again, path, shallow=False)
    except OSError as error:
        return Saved(verdict, failed(error))
    finally:
        again.unlink(missing_ok=True)
    return Saved(verdict, "" if same else "a second dump of the estimator differs")


@dataclass(frozen=True)
class Told:
    """Whether a fresh pipeline has told a fact.

    Attributes:
        reason: why it has not; empty if it has.
    """

    reason: str = ""


def told(case: Case, name: str, path: str) -> Told:
    """Ask a fresh pipeline for one of the :data:`FACTS`, and write it to a file."""
    try:
        with one_thread():
            fact = FACTS[name](case.estimator, case.X, case.y)
        Path(path).write_bytes(pickle.dumps(fact, protocol=5))
    except Exception as error:
        return Told(failed(error))
    return Told()


@in_child
def opened(request: str) -> Iterator[Result]:
    """Yield what an interpreter says of an artifact. The limits of this child are its limits."""
    answer, said = Path("answer").resolve(), Path("said").resolve()
    # -P: the folder of the program holds modules, and is no place to import from.
    program = [sys.executable, "-P", "-m", exactness_child.__name__, request, str(answer)]
    # Files and no pipes: what the pipeline prints is no answer, and what it starts may hold a pipe.
    with said.open("wb") as errors:
        done = subprocess.run(  # noqa: S603 (our own program)
            program,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            check=False,
        )
    if done.returncode or not answer.is_file():
        lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = (lines or ["no message"])[-1]
        yield Result(Verdict(Outcome.CRASH, f"load: {_ended(done.returncode)}, {last}"[:300]))
        return
    facts = json.loads(answer.read_text(encoding="utf-8"))
    verdict = Verdict.from_dict(facts.pop("verdict"))
    if verdict.machine_fault and verdict.reason.startswith(MemoryError.__name__):
        # The interpreter does not know that its memory has a limit; this child does.
        verdict = child.of_exception(verdict.outcome, MemoryError())
    changes, largest = verdict.label_changes, verdict.largest_difference
    yield Result(verdict, label_changes=changes, largest_difference=largest, **facts)


def _ended(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"ended by signal {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"
