"""A dump that reports success: can the artifact be loaded, and is alive what it holds?

An estimator holds one member that is no data: an open file, a lock, a connection. It is saved in
one process, and loaded in another that has the libraries, and neither the file nor the database:
an artifact travels without them. The member is then asked for what it is for.
"""

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from persistbench import backends, sandbox
from persistbench.backends import Backend
from persistbench.case import Case
from persistbench.cells import attempt
from persistbench.outcomes import Outcome, Verdict, explain
from persistbench.sandbox import child
from persistbench.trials import campaign
from persistbench.trials.accident import _members
from persistbench.trials.campaign import Record, Task, Trial
from persistbench.trials.kinds import Selection

KIND = "false-success"
GROUP: Literal["attack", "accident"] = "accident"
VERSION = 1

LIMITS = sandbox.Limits(seconds=60, memory=2 * 10**9, file_size=10**9)


def tasks(selection: Selection) -> list[Task]:
    """Return a task for each backend."""
    return [
        Task(
            tuple(
                campaign.trial(KIND, VERSION, subject, backend.id) for subject in _members.MEMBERS
            ),
            make,
        )
        for backend in selection.backends
    ]


def make(trials: Sequence[Trial]) -> list[Record]:
    """Return the records of one backend's trials."""
    sandbox.preload("persistbench.sandbox.warm_libraries")
    backend = backends.for_trials()[trials[0].backend]
    if backend.missing:
        verdict = Verdict(Outcome.NOT_INSTALLED, backend.unavailable)
        return [trial.record(verdict, false_success=False, dead="") for trial in trials]
    return [_tried(trial, backend) for trial in trials]


def _tried(trial: Trial, backend: Backend) -> Record:
    with sandbox.folder() as folder:
        arguments = (
            backend.trusting(_members.MEMBERS[trial.subject].trusted),
            trial.subject,
            folder,
        )
        verdict, dead = _told(_save, *arguments)
        saved = verdict.same
        if saved:
            verdict, dead = _told(_load, *arguments)
    return trial.record(verdict, false_success=saved and not verdict.same, dead=dead)


def _told(function: Any, *arguments: Any) -> tuple[Verdict, str]:
    """Return a child's verdict and what is dead."""
    try:
        ((verdict, dead),) = sandbox.answers(function, *arguments, limits=LIMITS)
    except sandbox.DeadError as death:
        return death.verdict, ""
    return verdict, dead


def _save(backend: Backend, subject: str, folder: Path) -> Iterator[tuple[Verdict, str]]:
    """Save an estimator with a member, whose files go with this process's folder."""
    from persistbench.integrity.answers import reference

    child.required()
    child.hush()
    estimator = _members.holder(_members.MEMBERS[subject].make(Path.cwd()))
    answers = reference(Case(estimator, _members.rows()))
    (folder / "answers").write_bytes(pickle.dumps(answers))
    yield attempt.dump(backend, estimator, _members.rows(), str(folder / "model")), ""


def _load(backend: Backend, subject: str, folder: Path) -> Iterator[tuple[Verdict, str]]:
    """Load it, use it, and look whether the member is alive."""
    child.required()
    child.hush()
    _members.script()  # not the one that has saved
    loaded, verdict = attempt.load(backend, str(folder / "model"))
    if verdict.same:
        verdict = attempt.use(backend, loaded, pickle.loads((folder / "answers").read_bytes()))
    if not verdict.same:
        yield verdict, ""
        return
    if backend.claims.returns != "estimator":
        yield Verdict(Outcome.STATE_DIFFERS, f"{subject} is gone"), f"{subject} is gone"
        return
    try:
        alive = _members.MEMBERS[subject].alive(_members.held(loaded))
        result = Verdict(Outcome.SAME if alive else Outcome.VALUES_DIFFER)
        dead = "" if alive else f"the {subject} does not do what it did"
    except Exception as error:
        result = child.of_exception(Outcome.ERROR_AT_USE, error)
        dead = f"the {subject}: {explain(error)}"
    yield Verdict(result.outcome, result.reason or dead), dead
