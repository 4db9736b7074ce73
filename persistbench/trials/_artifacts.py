"""Right artifacts of the catalogue's pipelines, made once and kept by the suite, for trials."""

import pickle
from pathlib import Path
from typing import Any

from persistbench import backends, sandbox
from persistbench.backends import Backend
from persistbench.cases import catalogue
from persistbench.cells import attempt
from persistbench.cells.cell import Cell
from persistbench.integrity.answers import Reference
from persistbench.outcomes import Verdict
from persistbench.sandbox import child


def cell(pipeline: str, backend_id: str) -> Cell:
    """Return the cell, whose backend admits what the pipeline's file names."""
    return Cell(catalogue.get(pipeline), backends.for_trials()[backend_id])


def right(one: Cell) -> Verdict:
    """Return ``same`` if the cell's artifact is there and right; else what it is instead."""
    return one.examine()


def original(one: Cell) -> bytes:
    """Return what a child needs to know of the original: its answers, and what it holds.

    It is computed in a child, so that this process can be forked afterwards.
    """
    (result,) = sandbox.answers(_original, one, limits=child.Limits(600.0))
    assert isinstance(result, bytes)  # noqa: S101 (see _original)
    return result


def _original(one: Cell) -> Any:
    from persistbench.integrity.state import state

    fitted = one.fitted
    yield pickle.dumps((fitted.load_reference(), state(fitted.load_estimator())), protocol=5)


def opened(backend: Backend, path: Path, reference: Reference, held: Any = None) -> Verdict:
    """Load an artifact, use what it holds, and compare; in a child of the sandbox."""
    child.required()
    loaded, verdict = attempt.load(backend, str(path))
    return attempt.use(backend, loaded, reference, held) if verdict.same else verdict
