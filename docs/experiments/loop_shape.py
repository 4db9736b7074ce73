"""How much does a load time depend on what is around the call? Prints a table for methodology.md.

Run in a checkout: `.venv/bin/python docs/experiments/loop_shape.py`. Each variant is paired
with the suite's own load (back to back, collector on) in five processes; below 1 it is quicker.
"""

import ctypes
import gc
import multiprocessing
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.measure import actions
from persistbench.statistics import ratios

CELLS = (
    ("small", "pickle-5"),
    ("text", "pickle-5"),
    ("boosting", "pickle-5"),
    ("forest", "pickle-5"),
    ("large_array", "pickle-5"),
    ("large_array", "joblib"),
)
VARIANTS = (
    "after a fresh dump",
    "collector off",
    "the result of the call before kept",
    "in memory that is new to the process",
)
PROCESSES, PAIRS = 5, 20


def measure(task):
    """Return the ratios of one process."""
    (pipeline, backend), variant = task
    cell = Cell(catalogue.get(pipeline), backends.get(backend))
    calls = actions.pair(cell, actions.Load, references=())
    # Nothing else of that size lies in the heap: malloc_trim gives back what is at its end.
    estimator = cell.fitted.load_estimator() if variant == VARIANTS[0] else None
    fresh = str(Path("fresh").absolute())
    held = None
    measured = []
    for _ in range(PAIRS + 1):
        usual = calls.row().wall
        path = calls.own.path
        if variant == VARIANTS[0]:
            path = fresh
            Path(fresh).unlink(missing_ok=True)
            cell.backend.dump(estimator, path)
        if variant == VARIANTS[1]:
            gc.disable()
        if variant == VARIANTS[3]:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        start = time.perf_counter()
        loaded = cell.backend.load(path)
        other = time.perf_counter() - start
        gc.enable()
        if variant == VARIANTS[2]:
            held = loaded
        del loaded
        measured.append(other / usual)
    del held
    return measured[1:]


def main():
    """Print the table."""
    for pipeline, backend in {*CELLS, *((pipeline, "raw") for pipeline, _ in CELLS)}:
        assert Cell(catalogue.get(pipeline), backends.get(backend)).examine().same  # noqa: S101
    tasks = [(cell, v) for _ in range(PROCESSES) for cell in CELLS for v in VARIANTS]
    result = defaultdict(list)
    with (
        tempfile.TemporaryDirectory() as folder,
        multiprocessing.get_context("fork").Pool(
            1, os.chdir, (folder,), maxtasksperchild=1
        ) as pool,
    ):
        for task, measured in zip(tasks, pool.imap(measure, tasks), strict=True):
            result[task].append(measured)
    estimates = ratios.estimate(result)
    print(f"| load | {' | '.join(VARIANTS)} |\n{'|---' * (len(VARIANTS) + 1)}|")
    for cell in CELLS:
        texts = (
            "{:.2f} ({:.2f} to {:.2f})".format(*estimates[cell, v].interval()) for v in VARIANTS
        )
        print(f"| `{cell[0]}`, {cell[1]} | {' | '.join(texts)} |")


if __name__ == "__main__":
    main()
