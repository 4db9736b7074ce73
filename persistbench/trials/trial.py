"""A trial and its record: what is tried, with what, and the key under which its outcome is kept."""

import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from persistbench import backends, files
from persistbench.outcomes import Verdict
from persistbench.records import forms, libraries
from persistbench.system import checkout
from persistbench.trials import processes

Record = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One question, whose answer is one record.

    Attributes:
        kind: the kind of trial, such as ``survival``.
        subject: what is saved, or what is done to the artifact.
        backend: the id of what saves it.
        condition: a second circumstance, where the kind has one.
        key: changes with everything that decides the answer; see :func:`trial`.
    """

    kind: str
    subject: str
    backend: str
    condition: str | None
    key: str

    def record(self, verdict: Verdict, **facts: Any) -> Record:
        """Return the record: the fields that all trials share, then those of this kind.

        Raises:
            TypeError: the kind's struct in :mod:`persistbench.records.forms` does not fit it.
        """
        condition = {} if self.condition is None else {"place": self.condition}
        record = {
            "key": self.key,
            "trial": self.kind,
            "subject": self.subject,
            "backend": self.backend,
            **condition,
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            **_about(verdict),
            **facts,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "os": f"{platform.system()} {platform.release()}",
            "libraries": _versions(self.backend),
            "commit": checkout.commit(),
        }
        return forms.checked(record)


def trial(
    kind: str,
    version: int,
    subject: str,
    backend_id: str,
    condition: str | None = None,
    inputs: str = "",
) -> Trial:
    """Return a trial.

    Args:
        kind: see :class:`Trial`, as for subject, backend_id and condition.
        version: of what is tried; whoever changes that raises it, and all is tried again.
        subject: see kind.
        backend_id: see kind.
        condition: see kind.
        inputs: what else decides the outcome, such as a pipeline's key.
    """
    names = [kind, subject, backend_id, *([condition] if condition else [])]
    digest = _digest(backend_id, version)
    if inputs:
        digest = files.digest(digest, inputs)
    return Trial(kind, subject, backend_id, condition, f"{'/'.join(names)}/{digest}")


@dataclass(frozen=True)
class Task:
    """Trials that are made together, because they share what is dear.

    Attributes:
        trials: those that are made.
        make: returns their records; it is sent to another process.
    """

    trials: tuple[Trial, ...]
    make: Callable[[tuple[Trial, ...]], list[Record]]

    def without(self, known: Iterable[str]) -> "Task":
        """Return the task with those trials only whose keys are not known."""
        return Task(tuple(one for one in self.trials if one.key not in known), self.make)

    def __call__(self) -> list[Record]:
        """Make the trials."""
        return self.make(self.trials)


def _about(verdict: Verdict) -> Record:
    """Return what else is to be said of an outcome; nothing where there is nothing to say."""
    facts = {"uncompared": list(verdict.uncompared), "blame": verdict.fault}
    return {name: fact for name, fact in facts.items() if fact}


@cache
def _versions(backend_id: str) -> dict[str, str]:
    return libraries.versions({*processes.LIBRARIES, *backends.for_trials()[backend_id].requires})


@cache
def _digest(backend_id: str, version: int) -> str:
    """Return a digest of what decides an outcome: versions, and the backend's own source."""
    libraries = json.dumps(_versions(backend_id))
    return files.digest(
        str(version),
        platform.python_version(),
        libraries,
        *backends.sources(backends.for_trials()[backend_id]),
    )
