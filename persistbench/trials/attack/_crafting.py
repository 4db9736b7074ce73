"""Crafted artifacts, each made by a child of the sandbox that does nothing else."""

from pathlib import Path

from persistbench import sandbox
from persistbench.backends import Backend
from persistbench.cells import attempt
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials.attack import payloads
from persistbench.trials.attack.payloads import Shape

LIMITS = sandbox.Limits(seconds=60, memory=2 * 10**9, file_size=10**8)
"""For crafting, and for what is then done with it; each takes less than a second, usually."""

HONEST = Shape("honest", payloads.Saved(lambda: payloads.carrier(None)))
"""What is looked at for comparison."""


def crafted(shape: Shape, backend: Backend, folder: Path) -> tuple[Path, Verdict]:
    """Return an artifact in a folder, and ``same`` or why there is none.

    Args:
        shape: which fits the backend, whose libraries are there.
        backend: see shape.
        folder: of the one who opens it in another process.
    """
    path = folder / f"{shape.name}{backend.extension}"
    return path, sandbox.run(_craft, shape.name, backend, path, limits=LIMITS)


def found(name: str) -> Shape:
    """Return the shape with this name."""
    return HONEST if name == HONEST.name else payloads.discover()[name]


def _craft(name: str, backend: Backend, path: Path) -> Verdict:
    """Craft an artifact; in a child process."""
    child.required()
    child.hush()
    shape = found(name)
    shape.settle(Path.cwd())
    if failure := backend.import_failure():
        return Verdict(Outcome.NOT_INSTALLED, failure)
    return attempt.call(Outcome.ERROR_AT_DUMP, lambda: shape.craft(backend, str(path)))
