"""Examines cells before any of them is timed, on all cores; asv's own processes come one by one.

This file is also the program: an interpreter that nothing has been forked from may start others.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from persistbench.records.pairs import FOLDER

CELLS = "PERSISTBENCH_CELLS"
"""Environment variable: names of pipelines and of backends, as JSON, that are going to be asked."""


def examine() -> None:
    """Examine the cells that :data:`CELLS` names; without it nothing is done.

    What is found out is kept where the cells look for it; a failure of this is none of theirs.
    """
    # Without a folder of the run nobody could be told that it is done.
    if CELLS in os.environ and FOLDER in os.environ:
        program = [sys.executable, "-c", "from persistbench.cells.in_advance import main; main()"]
        root = str(Path(__file__).parents[2])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        subprocess.run(  # noqa: S603 (our own program)
            program, env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.DEVNULL, check=False
        )


def main() -> None:
    """Fit and examine one pipeline in each process."""
    import joblib

    pipelines, backend_ids = json.loads(os.environ[CELLS])
    tasks = (joblib.delayed(_examine)(pipeline, backend_ids) for pipeline in pipelines)
    joblib.Parallel(n_jobs=-1, batch_size=1)(tasks)


def _examine(pipeline: str, backend_ids: Sequence[str]) -> None:
    from persistbench import backends
    from persistbench.cases import catalogue
    from persistbench.cells.cell import Cell

    for backend in map(backends.get, backend_ids):
        for mapped in (False, True)[: 1 + backend.claims.memory_maps]:
            Cell(catalogue.get(pipeline), backend, mapped).examine()
