"""Artifacts with a payload, each crafted by a child of the sandbox that does nothing else."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from persistbench import sandbox
from persistbench.backends import Backend
from persistbench.cells import attempt
from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import base
from persistbench.trials.attack import payloads
from persistbench.trials.attack.payloads import Shape
from persistbench.trials.base import in_child
from persistbench.trials.trial import Trial

LIMITS = sandbox.Limits(seconds=60, memory=2 * 10**9, file_size=10**8)
"""For crafting, and for what is then done with it; each takes less than a second, usually."""

HONEST = Shape("honest", payloads.Saved(lambda: payloads.carrier(None)))
"""What is inspected for comparison."""


class Payloads(base.OneByOne):
    """Shapes of payloads; each is crafted once for a backend, for all conditions."""

    limits = LIMITS
    shared = ("subject", "backend")

    @property
    def subjects(self) -> Sequence[str]:
        return tuple(payloads.discover())

    @abstractmethod
    def ways(self, backend: Backend) -> tuple[str, ...]:
        """Return the conditions of a backend, whatever the shape."""

    def conditions(self, subject: str, backend: Backend) -> Sequence[str]:
        return self.ways(backend) if shape(subject).fits(backend) else ()

    def inputs(self, subject: str, condition: str | None) -> str:
        return shape(subject).key

    def prepare(self, trial: Trial, backend: Backend, folder: Path) -> Verdict:
        return craft(trial.subject, backend, folder)


def path(name: str, backend: Backend, folder: Path) -> Path:
    """Return where the artifact of a shape lies.

    Args:
        name: of the shape.
        backend: that can load the artifact.
        folder: of the one who opens it in another process.
    """
    return folder / f"{name}{backend.extension}"


def craft(name: str, backend: Backend, folder: Path) -> Verdict:
    """Let a child craft an artifact; return ``same``, or why there is none.

    Args:
        name: of a shape that fits the backend.
        backend: whose libraries are installed.
        folder: see :func:`path`.
    """
    return sandbox.run(_craft, name, backend, path(name, backend, folder), limits=LIMITS)


def shape(name: str) -> Shape:
    """Return the shape with this name."""
    return HONEST if name == HONEST.name else payloads.discover()[name]


@in_child
def _craft(name: str, backend: Backend, path: Path) -> Verdict:
    """Craft an artifact."""
    crafted = shape(name)
    crafted.settle(Path.cwd())
    if failure := backend.import_failure():
        return Verdict(Outcome.NOT_INSTALLED, failure)
    return attempt.call(Outcome.ERROR_AT_DUMP, lambda: crafted.craft(backend, str(path)))
