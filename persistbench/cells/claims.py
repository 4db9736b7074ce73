"""Records what backends and pipelines say of themselves when something is made with them."""

import contextlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from persistbench import backends
from persistbench.backends import Backend
from persistbench.cases import catalogue
from persistbench.cases.catalogue import Pipeline
from persistbench.cells.cell import Cell
from persistbench.errors import UserError
from persistbench.records import about, run


def keep(cell: Cell) -> None:
    """Record what the backend and the pipeline of a cell say; nothing outside a run."""
    own = run.current()
    if own is not None:
        about.keep(own.outcomes.parent, [of_backend(cell.backend), of_pipeline(cell.pipeline)])


def keep_tried(path: Path, backend_ids: Iterable[str], subjects: Iterable[str]) -> None:
    """Record what the backends of trials say, and those of their subjects that are pipelines.

    Args:
        path: of the trials' records, ``results/<machine>/trials/<group>.jsonl``; for a file
            that lies elsewhere nothing is recorded.
        backend_ids: of the backends.
        subjects: what is saved in the trials.
    """
    if path.parent.name != "trials":
        return
    known = backends.for_trials()
    pipelines: dict[str, Pipeline] = {}
    with contextlib.suppress(UserError):  # many trials need no catalogue
        pipelines = catalogue.discover()
    about.keep(
        path.parents[1],
        [
            *(of_backend(known[name]) for name in sorted(set(backend_ids) & known.keys())),
            *(of_pipeline(pipelines[name]) for name in sorted(set(subjects) & pipelines.keys())),
        ],
    )


def of_backend(backend: Backend) -> about.Backend:
    """Return what a backend says of itself, as it is recorded."""
    return about.Backend(
        id=backend.id,
        variant=backend.variant,
        only_for_trials=backend.only_for_trials,
        requires=backend.requires,
        install=backend.install,
        **asdict(backend.claims),
    )


def of_pipeline(pipeline: Pipeline) -> about.Pipeline:
    """Return what a pipeline's file says of it, as it is recorded."""
    return about.Pipeline(name=pipeline.name, stresses=pipeline.stresses)
