"""Does opening an artifact run code that somebody has put into it, and when?

Each shape of payload is crafted in one process, for every backend that can carry it. Another
process, which has never seen it, opens it: audits it where the backend has an audit, loads it, uses
it, and lets it go. The payload touches a marker; the record names the stage after which the marker
was there. A backend with a list of trusted names is tried twice. Its list is first its own, then
the list that a user has written for honest pipelines without an inspection of this file.
"""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from persistbench.backends import Backend
from persistbench.cases import catalogue
from persistbench.cells import attempt
from persistbench.integrity.asking import METHODS
from persistbench.outcomes import Outcome
from persistbench.trials import base
from persistbench.trials.attack import _crafting, payloads
from persistbench.trials.attack.payloads import MARKER, has_list
from persistbench.trials.base import in_child
from persistbench.trials.trial import Trial

DOCUMENTED, NO_TRUST, REVIEWED, BLIND = "documented", "no trust", "reviewed", "blind"
"""How a backend loads: as documented; with its own list of names, or a user's; without a list."""


@dataclass(frozen=True)
class Result(base.Result):
    """What is known of an opened artifact.

    Attributes:
        verdict: what happened in the end.
        marker: the stage after which the marker was there: ``audit``, ``load``, ``use`` or
            ``never``; None if the process died before that was known.
        refused: the backend says that the file asks for what nobody has admitted.
        admitted: names that the user's list admits because of this shape.
    """

    marker: str | None = None
    refused: bool = False
    admitted: list[str] = field(default_factory=list)


class Code(_crafting.Payloads):
    """Shapes of payloads, opened in all conditions of a backend."""

    name = "code"
    version = 2
    result_type = Result

    def ways(self, backend: Backend) -> tuple[str, ...]:
        if backend.only_for_trials:
            return (BLIND,)
        return (NO_TRUST, REVIEWED) if has_list(backend) else (DOCUMENTED,)

    def inputs(self, subject: str, condition: str | None) -> str:
        return f"{super().inputs(subject, condition)} {self._reviewed}"

    @property
    def _reviewed(self) -> tuple[str, ...]:
        """The names on the list that the selected pipelines need."""
        names = {name for one in self.selection.pipelines for name in catalogue.get(one).trusted}
        return tuple(sorted(names))

    def result(self, trial: Trial, backend: Backend, folder: Path) -> Result:
        path = _crafting.path(trial.subject, backend, folder)
        admits: tuple[str, ...] = ()
        if trial.condition == REVIEWED:
            admits = _crafting.shape(trial.subject).admits
            backend = backend.trusting((*self._reviewed, *admits))
        work = (trial.subject, backend, path)
        result = Result.from_child(_open, *work, limits=self.limits)
        return replace(result, admitted=list(admits))


@in_child
def _open(name: str, backend: Backend, path: Path) -> Iterator[Result]:
    """Yield what is known after each stage: audit, load, use."""
    folder = Path.cwd()
    _crafting.shape(name).settle(folder)
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
