"""Right artifacts of the catalogue's pipelines, made once and kept by the suite, for trials."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from persistbench import backends, files
from persistbench.backends import Backend
from persistbench.cases import catalogue
from persistbench.cases.catalogue import Pipeline
from persistbench.cells import attempt
from persistbench.cells.cell import Cell
from persistbench.integrity.answers import Reference
from persistbench.outcomes import Verdict
from persistbench.records import libraries
from persistbench.sandbox import child
from persistbench.trials.trial import Record


def inputs(pipelines: Iterable[str]) -> str:
    """Return what pipelines bring into the outcome of a trial, for its key.

    These are the sources of the pipelines, and the versions of the libraries that they import.
    """
    chosen = [catalogue.get(name) for name in pipelines]
    return " ".join(f"{one.sources} {_libraries(one)}" for one in chosen)


def code(*sources: str | Path) -> str:
    """Return what child programs, or files that say what is saved, bring into the outcome."""
    return files.digest(*(Path(one).read_bytes() for one in sources))


def _libraries(pipeline: Pipeline) -> Record:
    """Return the versions of the libraries that the files of a pipeline import."""
    names = {name for file in pipeline.files for name in _imported(file)}
    known = _distributions()
    return libraries.versions({one for name in names for one in known.get(name, ())})


def _imported(file: Path) -> Iterator[str]:
    """Yield the first part of each name that a file imports."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # the build of the pipeline says so
        return
    for part in ast.walk(tree):
        if isinstance(part, ast.Import):
            yield from (one.name.partition(".")[0] for one in part.names)
        elif isinstance(part, ast.ImportFrom):
            yield (part.module or "").partition(".")[0]


@cache
def _distributions() -> dict[str, list[str]]:
    """Return distributions by the name of a package that is imported; this package is no library.

    A change of this package is told by the version of the kind of trial.
    """
    return {
        name: [one for one in found if one != "persistbench"]
        for name, found in packages_distributions().items()
    }


def cell(pipeline: str, backend_id: str) -> Cell:
    """Return the cell, whose backend admits what the pipeline's file names."""
    return Cell(catalogue.get(pipeline), backends.for_trials()[backend_id])


def right(one: Cell) -> Verdict:
    """Return ``same`` if the cell's artifact is there and right; else what it is instead."""
    return one.examine()


def opened(backend: Backend, path: Path, reference: Reference) -> Verdict:
    """Load an artifact, use what it holds, and compare; in a child of the sandbox."""
    child.required()
    loaded, verdict = attempt.load(backend, str(path))
    if not verdict.same:
        return verdict
    return attempt.use(backend, loaded, reference, reference.state)
