"""Does opening an artifact run code that somebody has put into it, and when?

Each shape of payload is crafted in one process for every backend that can carry it, and opened in
another that has never seen it: audited where the backend has an audit, loaded, used, and let go.
The payload touches a marker; what is recorded is the stage after which it was there. A backend
with a list of trusted names is tried with its own list, and with the one that a user has written
for honest pipelines without a look into this file.
"""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from persistbench import backends, sandbox
from persistbench.backends import Backend
from persistbench.cases import catalogue
from persistbench.cells import attempt
from persistbench.integrity.answers import METHODS
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import campaign
from persistbench.trials.attack import _crafting, payloads
from persistbench.trials.attack.payloads import MARKER, Shape, has_list
from persistbench.trials.campaign import Record, Task, Trial
from persistbench.trials.kinds import ATTACK, Selection

KIND, GROUP, VERSION = "code", ATTACK, 2

DOCUMENTED, NO_TRUST, REVIEWED, BLIND = "documented", "no trust", "reviewed", "blind"


def tasks(selection: Selection) -> list[Task]:
    """Return a task for each shape and each backend that it fits: it is crafted once."""
    reviewed = {name for one in selection.pipelines for name in catalogue.get(one).trusted}
    names = tuple(sorted(reviewed))
    return [
        Task(
            tuple(
                campaign.trial(
                    KIND, VERSION, shape.name, backend.id, condition, f"{shape.key} {names}"
                )
                for condition in places(backend)
            ),
            partial(make, names),
        )
        for shape in payloads.discover().values()
        for backend in selection.backends
        if shape.fits(backend)
    ]


def places(backend: Backend) -> tuple[str, ...]:
    """Return the ways in which a backend is asked to load."""
    if backend.only_for_trials:
        return (BLIND,)
    return (NO_TRUST, REVIEWED) if has_list(backend) else (DOCUMENTED,)


def make(reviewed: tuple[str, ...], trials: Sequence[Trial]) -> list[Record]:
    """Return the records of one shape and one backend.

    Args:
        reviewed: the names on a list that honest pipelines need.
        trials: one for each place.
    """
    sandbox.preload("persistbench.sandbox.warm_libraries")
    shape = _crafting.found(trials[0].subject)
    backend = backends.for_trials()[trials[0].backend]
    if backend.missing:
        verdict = Verdict(Outcome.NOT_INSTALLED, backend.unavailable)
        return [one.record(verdict, marker=None, refused=False) for one in trials]
    with sandbox.folder() as folder:
        path, verdict = _crafting.crafted(shape, backend, folder)
        if not verdict.same:
            return [one.record(verdict, marker=None, refused=False) for one in trials]
        result = [
            (one, opened(shape, _admitting(backend, shape, one.condition, reviewed), path))
            for one in trials
        ]
    return [
        one.record(
            it.verdict,
            marker=it.marker,
            refused=it.refused,
            admitted=list(shape.admits) if one.condition == REVIEWED else [],
        )
        for one, it in result
    ]


def _admitting(
    backend: Backend, shape: Shape, condition: str | None, reviewed: tuple[str, ...]
) -> Backend:
    return backend.trusting((*reviewed, *shape.admits)) if condition == REVIEWED else backend


@dataclass(frozen=True)
class Result:
    """What is known of an opened artifact.

    Attributes:
        verdict: what happened in the end.
        marker: the stage after which the marker was there: ``audit``, ``load``, ``use`` or
            ``never``; None if the process died before that was known.
        refused: the backend says that the file asks for what nobody has admitted.
    """

    verdict: Verdict
    marker: str | None = None
    refused: bool = False


def opened(shape: Shape, backend: Backend, path: Path) -> Result:
    """Let a child that has never seen the artifact open and use it."""
    result = Result(Verdict(Outcome.CRASH, "no answer"))
    try:
        for result in sandbox.answers(  # noqa: B007
            _open, shape.name, backend, path, limits=_crafting.LIMITS
        ):
            pass
    except sandbox.DeadError as death:
        return replace(result, verdict=death.verdict)
    return result


def _open(name: str, backend: Backend, path: Path) -> Iterator[Result]:
    """Yield what is known, the better the later; in a child process."""
    child.required()
    child.hush()
    folder = Path.cwd()
    _crafting.found(name).settle(folder)
    marker = folder / MARKER
    seen: str | None = None

    def after(stage: str) -> str | None:
        gc.collect()  # whoever is no longer held acts now
        return seen or (stage if marker.exists() else None)

    if backend.claims.audits:
        # Who loads without an audit goes on, whatever it says.
        verdict = attempt.call(Outcome.ERROR_AT_LOAD, lambda: backend.audit(str(path)))
        seen = after("audit")
        yield Result(verdict, seen)
    loaded, verdict = attempt.load(backend, str(path))
    refused = verdict.by_design
    seen = after("load")
    yield Result(verdict, seen, refused)
    if verdict.same:
        verdict = attempt.call(Outcome.ERROR_AT_USE, partial(_ask, loaded))
    del loaded
    yield Result(verdict, after("use") or "never", refused)


def _ask(loaded: Any) -> None:
    """Ask what was loaded the first thing that it can answer."""
    method = next((one for one in METHODS if hasattr(loaded, one)), METHODS[0])
    getattr(loaded, method)(payloads.rows())
