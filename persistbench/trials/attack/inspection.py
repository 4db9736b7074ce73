"""Does looking into an artifact run something of it?

Whatever a library offers to inspect a file before loading it is called with every shape of payload
that fits, in a process that has first looked at an honest artifact: what is imported after that is
what the crafted one has asked for.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from persistbench import backends, sandbox
from persistbench.backends import Backend
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import campaign
from persistbench.trials.attack import _crafting, payloads
from persistbench.trials.attack.payloads import MARKER, Shape
from persistbench.trials.campaign import Record, Task, Trial
from persistbench.trials.kinds import ATTACK, Selection

KIND, GROUP, VERSION = "looking", ATTACK, 1

NAMED = 10
"""So many imported modules a record names."""


@dataclass(frozen=True)
class Seen:
    """What looking has done.

    Attributes:
        verdict: on the look; an error means that it told nothing.
        marker: whether the payload has run; None if the process died.
        modules: names of those that it has imported, and a look at an honest file has not.
    """

    verdict: Verdict
    marker: bool | None = None
    modules: list[str] = field(default_factory=list)


def tasks(selection: Selection) -> list[Task]:
    """Return a task for each shape and each backend that it fits: it is crafted once."""
    return [
        Task(
            tuple(
                campaign.trial(KIND, VERSION, shape.name, backend.id, look, shape.key)
                for look in backend.inspections()
            ),
            make,
        )
        for shape in payloads.discover().values()
        for backend in selection.backends
        if backend.inspections() and shape.fits(backend) and not backend.only_for_trials
    ]


def make(trials: Sequence[Trial]) -> list[Record]:
    """Return the records of one shape and one backend, for each of its looks."""
    sandbox.preload("persistbench.sandbox.warm_libraries")
    shape = _crafting.found(trials[0].subject)
    backend = backends.for_trials()[trials[0].backend]
    if backend.missing:
        missing = Seen(Verdict(Outcome.NOT_INSTALLED, backend.unavailable))
        return [_record(one, missing) for one in trials]
    with sandbox.folder() as folder:
        made = [_crafting.crafted(one, backend, folder) for one in (_crafting.HONEST, shape)]
        failed = [Seen(verdict) for _, verdict in made if not verdict.same]
        paths = tuple(path for path, _ in made)
        return [
            _record(one, failed[0] if failed else seen(shape, backend, str(one.condition), *paths))
            for one in trials
        ]


def _record(trial: Trial, seen: Seen) -> Record:
    return trial.record(
        seen.verdict, marker=seen.marker, imported=len(seen.modules), modules=seen.modules[:NAMED]
    )


def seen(shape: Shape, backend: Backend, look: str, honest: Path, crafted: Path) -> Seen:
    """Let a child look at an honest artifact and then at a crafted one."""
    try:
        (result,) = sandbox.answers(
            _look, shape.name, backend, look, honest, crafted, limits=_crafting.LIMITS
        )
    except sandbox.DeadError as death:
        return Seen(death.verdict)
    assert isinstance(result, Seen)  # noqa: S101 (see _look)
    return result


def _look(name: str, backend: Backend, look: str, honest: Path, crafted: Path) -> Iterator[Seen]:
    """Yield what a look at a crafted artifact has done; in a child process."""
    child.required()
    child.hush()
    folder = Path.cwd()
    _crafting.found(name).settle(folder)
    at = backend.inspections()[look]
    at(str(honest))
    before = set(sys.modules)
    try:
        at(str(crafted))
        verdict = Verdict(Outcome.SAME)
    except Exception as error:
        verdict = child.of_exception(Outcome.ERROR_AT_LOAD, error)
    modules = sorted(set(sys.modules) - before)
    yield Seen(verdict, (folder / MARKER).exists(), modules)
