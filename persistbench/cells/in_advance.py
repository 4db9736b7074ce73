"""Examines cells before any of them is timed, on all cores; asv's own processes come one by one.

This file is also the program: an interpreter that nothing has been forked from may start others.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from persistbench.records import run


def examine() -> None:
    """Examine the cells that the run of this process names.

    Each verdict is kept where its cell looks for it. A failure of this program fails no cell.
    """
    if (own := run.current()) and own.in_advance.pipelines:
        own.tell("pipelines are built, and their cells examined")
        program = [sys.executable, "-c", "from persistbench.cells.in_advance import main; main()"]
        root = str(Path(__file__).parents[2])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        subprocess.run(  # noqa: S603 (our own program)
            program, env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.DEVNULL, check=False
        )


def main() -> None:
    """Fit and examine one pipeline in each process."""
    import joblib

    cells = _cells()
    tasks = (joblib.delayed(_examine)(pipeline, cells.backends) for pipeline in cells.pipelines)
    joblib.Parallel(n_jobs=-1, batch_size=1)(tasks)


def _cells() -> run.Cells:
    own = run.current()
    return own.in_advance if own else run.Cells()


def _examine(pipeline: str, backend_ids: Sequence[str]) -> None:
    from persistbench import backends
    from persistbench.cases import catalogue
    from persistbench.cells import cell

    own = catalogue.get(pipeline)
    cell.examine(
        [
            cell.Cell(own, backend, mapped)
            for backend in map(backends.get, backend_ids)
            for mapped in (False, True)[: 1 + backend.claims.memory_maps]
        ]
    )
