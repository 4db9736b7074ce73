"""How much does a ratio differ from one run to the next? Prints a table for methodology.md.

Run in a checkout: `.venv/bin/python docs/experiments/between_runs.py`. The processes of a run are
forked from one process, and share what lies where in its memory. Here ten such processes are
started one by one; each forks four that make the suite's paired calls. The variance is split
(one-way analysis of variance) into that of the processes and what those of one run share.
"""

import math
import multiprocessing
import os
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.measure import actions, process
from persistbench.statistics import ratios

CELLS = (
    ("load", "small", "pickle-4"),
    ("load", "small", "joblib"),
    ("load", "custom_state", "cloudpickle"),
    ("load", "boosting", "pickle-4"),
    ("load", "boosting", "joblib"),
    ("load", "sparse", "cloudpickle"),
    ("dump", "small", "joblib"),
    ("dump", "boosting", "cloudpickle"),
)
RUNS, PROCESSES, PAIRS = 10, 4, 30


def measure(cell):
    """Return what is typical of the ratios to the reference in one process."""
    question, pipeline, backend = cell
    action = {"load": actions.Load, "dump": actions.Dump}[question]
    calls = actions.pair(Cell(catalogue.get(pipeline), backends.get(backend)), action)
    rows = [calls.row() for _ in range(PAIRS + 1)]
    return ratios.typical([row.wall / row.references[0] for row in rows[1:]])


def run(_):
    """Return what the processes say that are forked from this one, a list for each cell."""
    process.import_everything()
    tasks = [cell for cell in CELLS for _ in range(PROCESSES)]
    context = multiprocessing.get_context("fork")
    with (
        tempfile.TemporaryDirectory() as folder,
        context.Pool(1, os.chdir, (folder,), maxtasksperchild=1) as pool,
    ):
        result = pool.map(measure, tasks, chunksize=1)
    return [result[start : start + PROCESSES] for start in range(0, len(result), PROCESSES)]


def main():
    """Print the table."""
    for pipeline, backend in {(p, b) for _, p, own in CELLS for b in (own, "pickle-5", "raw")}:
        assert Cell(catalogue.get(pipeline), backends.get(backend)).examine().same  # noqa: S101
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        runs = list(pool.map(run, range(RUNS)))
    print("| cell | ratio | of processes | of runs |\n|---|---|---|---|")
    shared = []
    for cell, groups in zip(CELLS, zip(*runs, strict=True), strict=True):
        within = statistics.fmean(map(statistics.variance, groups))
        means = list(map(statistics.fmean, groups))
        # A negative estimate is none: less than chance makes of the processes.
        shared.append(math.sqrt(max(0.0, statistics.variance(means) - within / PROCESSES)))
        ratio = math.exp(statistics.fmean(means))
        print(f"| {' '.join(cell)} | {ratio:.2f} | {math.sqrt(within):.1%} | {shared[-1]:.1%} |")
    print(f"Of runs, the median: {statistics.median(shared):.1%}")


if __name__ == "__main__":
    main()
