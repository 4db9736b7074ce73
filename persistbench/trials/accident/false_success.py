"""A dump that reports success: can the artifact be loaded, and is alive what it holds?

An estimator holds one member that is no data: an open file, a lock, a connection. It is saved in
one process. Another process loads it. That process has the libraries, but neither the file nor
the database, because an artifact travels without them. The member then has to do what it is for.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from persistbench.backends import Backend
from persistbench.case import Case
from persistbench.cells import attempt
from persistbench.outcomes import Outcome, Verdict, explain
from persistbench.sandbox import child
from persistbench.trials import _artifacts, base
from persistbench.trials.accident import _members
from persistbench.trials.base import in_child
from persistbench.trials.trial import Trial


@dataclass(frozen=True)
class Result(base.Result):
    """What became of a member.

    Attributes:
        false_success: whether the dump reported success, and what was loaded is not the same.
        dead: why the member is dead; empty if it is alive, or nothing was loaded.
    """

    false_success: bool = False
    dead: str = ""


class FalseSuccess(base.OneByOne):
    """Members that are no data, by name."""

    name = "false-success"
    version = 1
    subjects = _members.MEMBERS
    result_type = Result

    def inputs(self, subject: str, condition: str | None) -> str:
        return _artifacts.code(_members.__file__)

    def result(self, trial: Trial, backend: Backend, folder: Path) -> Result:
        backend = backend.trusting(_members.MEMBERS[trial.subject].trusted)
        work = (backend, trial.subject, folder / trial.subject)
        saved = Result.from_child(_save, *work)
        if not saved.verdict.same:
            return saved
        loaded = Result.from_child(_load, *work)
        return replace(loaded, false_success=not loaded.verdict.same)


def _answers(path: Path) -> Path:
    return path.with_suffix(".answers")


@in_child
def _save(backend: Backend, subject: str, path: Path) -> Iterator[Result]:
    """Save an estimator with a member, whose files go with this process's folder."""
    from persistbench.integrity.answers import reference

    estimator = _members.holder(_members.MEMBERS[subject].make(Path.cwd()))
    answers = reference(Case(estimator, _members.rows()))
    _answers(path).write_bytes(pickle.dumps(answers))
    yield Result(attempt.dump(backend, estimator, _members.rows(), str(path)))


@in_child
def _load(backend: Backend, subject: str, path: Path) -> Iterator[Result]:
    """Load it, use it, and see whether the member is alive."""
    _members.script()  # not the one that has saved
    loaded, verdict = attempt.load(backend, str(path))
    if verdict.same:
        verdict = attempt.use(backend, loaded, pickle.loads(_answers(path).read_bytes()))
    if not verdict.same:
        yield Result(verdict)
        return
    if backend.claims.returns != "estimator":
        gone = f"{subject} is gone"
        yield Result(Verdict(Outcome.STATE_DIFFERS, gone), dead=gone)
        return
    try:
        alive = _members.MEMBERS[subject].alive(_members.held(loaded))
        verdict = Verdict(Outcome.SAME if alive else Outcome.VALUES_DIFFER)
        dead = "" if alive else f"the {subject} does not do what it did"
    except Exception as error:
        verdict = child.of_exception(Outcome.ERROR_AT_USE, error)
        dead = f"the {subject}: {explain(error)}"
    yield Result(Verdict(verdict.outcome, verdict.reason or dead), dead=dead)
