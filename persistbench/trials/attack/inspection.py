"""Does inspecting an artifact run something of it?

Whatever a library offers to inspect a file before loading it is called with every shape of payload
that fits. The process that does so has inspected an honest artifact before. What is imported after
that, the crafted artifact has asked for.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from persistbench.backends import Backend
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import base
from persistbench.trials.attack import _crafting
from persistbench.trials.attack.payloads import MARKER
from persistbench.trials.base import in_child
from persistbench.trials.trial import Trial

NAMED = 10
"""So many imported modules a record names."""


@dataclass(frozen=True)
class Result(base.Result):
    """What an inspection has done.

    Attributes:
        verdict: on the inspection; an error means that it told nothing.
        marker: whether the payload has run; None if the process died.
        imported: number of modules that the inspection imported, and that of an honest file did
            not.
        modules: names of the first of them.
    """

    marker: bool | None = None
    imported: int = 0
    modules: list[str] = field(default_factory=list)


class Inspection(_crafting.Payloads):
    """Shapes of payloads, each with all inspections that the library of a backend offers."""

    name = "looking"
    version = 1
    result_type = Result

    def ways(self, backend: Backend) -> tuple[str, ...]:
        return () if backend.only_for_trials else tuple(backend.inspections())

    def prepare(self, trial: Trial, backend: Backend, folder: Path) -> Verdict:
        verdict = _crafting.craft(_crafting.HONEST.name, backend, folder)
        return super().prepare(trial, backend, folder) if verdict.same else verdict

    def result(self, trial: Trial, backend: Backend, folder: Path) -> Result:
        work = (trial.subject, backend, str(trial.condition), folder)
        return Result.from_child(_inspect, *work, limits=self.limits)


@in_child
def _inspect(name: str, backend: Backend, condition: str, folder: Path) -> Iterator[Result]:
    """Yield what the inspection of a crafted artifact has done."""
    own = Path.cwd()
    _crafting.shape(name).settle(own)
    inspect = backend.inspections()[condition]
    inspect(str(_crafting.path(_crafting.HONEST.name, backend, folder)))
    before = set(sys.modules)
    try:
        inspect(str(_crafting.path(name, backend, folder)))
        verdict = Verdict(Outcome.SAME)
    except Exception as error:
        verdict = child.of_exception(Outcome.ERROR_AT_LOAD, error)
    modules = sorted(set(sys.modules) - before)
    yield Result(verdict, (own / MARKER).exists(), len(modules), modules[:NAMED])
