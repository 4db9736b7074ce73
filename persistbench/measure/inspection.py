"""What a library says of an artifact before anything loads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from persistbench import sandbox
from persistbench.backends import Backend
from persistbench.errors import UserError
from persistbench.measure import artifact
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child

LIMITS = sandbox.Limits(seconds=60, memory=2 * 10**9, file_size=10**8)
"""Of each inspection: it parses what the maker of the file wrote."""

LINES, WIDTH = 10_000, 200
"""An inspection's text has at most so many lines, and a line at most so many characters."""


@dataclass(frozen=True)
class Inspection:
    """What one inspection function of a library says of a file.

    Attributes:
        function: its name in the library's documentation.
        verdict: ``same`` if it returned; its error, or how its process ended, if it did not.
        lines: what it returned, as text.
        left_out: the number of further lines.
    """

    function: str
    verdict: Verdict
    lines: list[str]
    left_out: int = 0


def inspect(path: Path, backend: Backend) -> list[Inspection]:
    """Return what each inspection function of a backend's library says of a file.

    Nothing loads the file. Each function runs in a process of its own, which has limits.

    Args:
        path: of the artifact.
        backend: the backend that saved the artifact.

    Raises:
        UserError: the file cannot be read, a library is missing, or the library has no inspection.
    """
    if backend.missing:
        raise UserError(backend.unavailable + ".")
    if not backend.inspections():
        raise UserError(
            f"The library of {backend.id} has no function that inspects a file before the load; "
            "--steps loads the file and shows its steps."
        )
    artifact.check(path)
    return [_inspection(name, backend, path.resolve()) for name in backend.inspections()]


def _inspection(function: str, backend: Backend, path: Path) -> Inspection:
    try:
        (result,) = sandbox.answers(_said, function, backend, str(path), limits=LIMITS)
    except sandbox.DeadError as death:
        return Inspection(function, death.verdict, [])
    assert isinstance(result, Inspection)  # noqa: S101 (see _said)
    return result


def _said(function: str, backend: Backend, path: str) -> Iterator[Inspection]:
    """Yield what a function says; in a child process."""
    child.hush()
    try:
        said = backend.inspections()[function](path)
    except Exception as error:
        yield Inspection(function, child.of_exception(Outcome.ERROR_AT_LOAD, error), [])
        return
    lines = said.splitlines() if isinstance(said, str) else said
    shown = [line[:WIDTH] for line in lines[:LINES]]
    yield Inspection(function, Verdict(Outcome.SAME), shown, max(0, len(lines) - LINES))
