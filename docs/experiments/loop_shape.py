"""How much does a load time depend on what is around the call? Prints a table for methodology.md.

Run in a checkout: `.venv/bin/python docs/experiments/loop_shape.py`. Each variant is called in
turn with the suite's own load (back to back, collector on) in five processes; below 1 it is
quicker.
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

from benchmarks.load import Load
from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell

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
    suite = Load()
    suite.references = lambda cell: ()
    suite.setup(pipeline, backend)
    # Nothing else of that size lies in the heap: malloc_trim gives back what is at its end.
    estimator = suite.cell.fitted.load_estimator() if variant == VARIANTS[0] else None
    fresh = str(Path("fresh").absolute())
    held = None
    ratios = []
    for _ in range(PAIRS + 1):
        usual = suite.turn()
        path = suite.path
        if variant == VARIANTS[0]:
            path = fresh
            Path(fresh).unlink(missing_ok=True)
            suite.backend.dump(estimator, path)
        if variant == VARIANTS[1]:
            gc.disable()
        if variant == VARIANTS[3]:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        start = time.perf_counter()
        loaded = suite.backend.load(path)
        other = time.perf_counter() - start
        gc.enable()
        if variant == VARIANTS[2]:
            held = loaded
        del loaded
        ratios.append(other / usual)
    del held
    return ratios[1:]


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
        for task, ratios in zip(tasks, pool.imap(measure, tasks), strict=True):
            result[task].append(ratios)
    estimates = ratios.estimate(result)
    print(f"| load | {' | '.join(VARIANTS)} |\n{'|---' * (len(VARIANTS) + 1)}|")
    for cell in CELLS:
        texts = (
            "{:.2f} ({:.2f} to {:.2f})".format(*estimates[cell, v].interval()) for v in VARIANTS
        )
        print(f"| `{cell[0]}`, {cell[1]} | {' | '.join(texts)} |")


if __name__ == "__main__":
    main()
