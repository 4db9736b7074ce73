"""Does the instrument find what is there, and nothing else, on this machine?

It tries the measuring loop of repeated calls in three ways, and first calls likewise
(:mod:`persistbench.calibrate.first_calls`):

- A/A: a backend against itself. What is called different is a false alarm.
- A planted slow-down of 5 % and 10 %: what is not called different is a miss.
- The same call timed by pyperf in the same loop: two instruments, one time.
"""

import contextlib
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import msgspec

from persistbench import backends, sandbox
from persistbench.calibrate import first_calls, judge
from persistbench.calibrate.judge import PLANTED, Rows, Task
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.errors import UserError
from persistbench.measure import actions, paired, process
from persistbench.records import calibration
from persistbench.records.calibration import Agreement, Calibration
from persistbench.statistics import ratios
from persistbench.suite import registration
from persistbench.suite import run as suite

BACKENDS = (backends.REFERENCE, "joblib")
FIRST_BACKENDS = ("cloudpickle", "pickle-5-zstd-3", "skops")
"""Backends that first calls are tried with, beside those of repeated calls."""

QUESTIONS: dict[str, type[actions.Action]] = {"load": actions.Load, "dump": actions.Dump}

LONGEST = paired.QUICK.seconds
"""Cells whose call takes longer are left out: a process makes too few pairs of them."""

SHORTEST = 1e-3
"""Seconds; a shorter call has no slow-down planted: nobody is promised that it would be found."""

COMPARED, PYPERF_PROCESSES = 5, 4
"""So many cells, from the quickest to the slowest, pyperf measures too; in so many processes."""

CELL = "PERSISTBENCH_CELL"
"""Environment variable: what a process of pyperf measures, as JSON."""


def run(step: Callable[[str, int, int], None]) -> tuple[Calibration, Path]:
    """Calibrate and store the verdict; return it with the path of its file.

    Args:
        step: is called with what is being done, how much of it is done, and how much there is.

    Raises:
        UserError: the suite cannot run here.
    """
    if not hasattr(os, "fork"):
        raise UserError("Calibration forks its processes, and this system cannot: n/a here.")
    started = time.monotonic()
    root = suite.checkout()
    sys.path.insert(0, str(root))  # the catalogue is the checkout's
    process.import_everything()  # as in the suite: measuring processes are forked afterwards
    sandbox.fork_from_here()
    name = registration.register()
    seconds = _usable(step)
    cells = list(seconds)
    rows: dict[Task, list[Rows]] = defaultdict(list)
    tasks = planned(seconds)
    for number in range(paired.PROCESSES):
        for done, (task, result) in enumerate(_measured(tasks), start=1):
            rows[task].append(result)
            step(
                "each against itself, and made slower",
                number * len(tasks) + done,
                paired.PROCESSES * len(tasks),
            )
    agreements = _pyperf(cells, rows, step) if find_spec("pyperf") else ()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        first = first_calls.run(_right(BACKENDS), _right((*BACKENDS, *FIRST_BACKENDS)), step)
    verdict = judge.judged(cells, rows, agreements, time.monotonic() - started)
    verdict = msgspec.structs.replace(verdict, first=first)
    return verdict, calibration.write(root / "results" / name, verdict)


def planned(seconds: dict[tuple[str, str, str], float]) -> list[Task]:
    """Return what is measured in each round.

    Args:
        seconds: of a call of each cell.
    """
    return [
        Task(*cell, by)
        for cell, own in seconds.items()
        for by in PLANTED
        if by == 0 or own > SHORTEST
    ]


def ready(task: Task) -> paired.PairedCalls:
    """Return the suite's own paired calls of a cell, with the same backend as last reference."""
    action = QUESTIONS[task.question]
    cell = Cell(catalogue.get(task.pipeline), backends.get(task.backend))
    references = ((backends.FLOOR, action, backends.FLOOR), ("same", action, task.backend))
    calls = actions.pair(cell, action, references)
    if task.slower:
        calls.own = Slowed(calls.own, task.slower)
    return calls


def rows_of_process(
    task: Task, seconds: float = paired.SECONDS, least: int = paired.QUICK.calls
) -> Rows:
    """Return the rows of this process, as the suite makes them; the first one does not count.

    Args:
        task: what is measured.
        seconds: for so long.
        least: so many rows at least after the first.
    """
    return [(row.wall, row.references[-1]) for row in ready(task).rows(seconds, least)]


class Slowed:
    """An action whose call takes longer by a chosen share."""

    def __init__(self, action: paired.Timed, by: float) -> None:
        """Take the action, and the share, such as 0.05."""
        self._action = action
        self._by = by
        self.warming = action.warming
        self.before, self.reset = action.before, action.reset

    def call(self) -> None:
        """Call, then wait."""
        start = time.perf_counter()
        self._action.call()
        end = start + (time.perf_counter() - start) * (1 + self._by)
        while time.perf_counter() < end:
            pass


def _usable(step: Callable[[str, int, int], None]) -> dict[tuple[str, str, str], float]:
    """Return the cells that hold a right answer and are quick enough, with a call's seconds."""
    # Every call is paired with `raw`, as in the suite.
    every = [
        (pipeline, name)
        for pipeline in catalogue.discover()
        for name in (backends.FLOOR, *BACKENDS)
    ]
    right = []
    for done, (pipeline, backend) in enumerate(every, start=1):
        if Cell(catalogue.get(pipeline), backends.get(backend)).examine().same:
            right.append((pipeline, backend))
        step("fitting and examining", done, len(every))
    tasks = [Task(q, *cell) for q in QUESTIONS for cell in right if cell[1] != backends.FLOOR]
    result = {}
    for done, (task, rows) in enumerate(_measured(tasks, 0.0, least=1), start=1):
        if rows[-1][0] < LONGEST:
            result[task[:3]] = rows[-1][0]
        step("timing a call of each", done, len(tasks))
    return result


def _right(names: Sequence[str]) -> list[Cell]:
    """Return the right cells of these backends."""
    every = (
        Cell(pipeline, backends.get(name))
        for pipeline in catalogue.discover().values()
        for name in names
    )
    return [cell for cell in every if cell.examine().same]


def _measured(
    tasks: list[Task], seconds: float = paired.SECONDS, least: int = paired.QUICK.calls
) -> Iterator[tuple[Task, Rows]]:
    """Yield each task with the rows of a process of its own."""
    context = multiprocessing.get_context("fork")
    with (
        tempfile.TemporaryDirectory() as folder,
        context.Pool(1, os.chdir, (folder,), maxtasksperchild=1) as pool,
    ):
        measure = partial(rows_of_process, seconds=seconds, least=least)
        yield from zip(tasks, pool.imap(measure, tasks, chunksize=1), strict=True)


def _pyperf(
    cells: list[tuple[str, str, str]],
    rows: dict[Task, list[Rows]],
    step: Callable[[str, int, int], None],
) -> tuple[Agreement, ...]:
    """Return how our times compare with pyperf's, in cells of different lengths.

    The processes of both take turns, because the machine drifts.
    """
    by_length = sorted(cells, key=lambda cell: _wall(rows[Task(*cell)][-1]))
    chosen = by_length[:: max(1, len(by_length) // (COMPARED - 1))][-COMPARED:]
    work = [cell for _ in range(PYPERF_PROCESSES) for cell in chosen]
    measured: dict[tuple[str, str, str], list[list[float]]] = defaultdict(list)
    for done, cell in enumerate(work, start=1):
        ((_, ours),) = _measured([Task(*cell)])
        measured[cell].append([_wall(ours) / statistics.median(_pyperf_values(cell))])
        step("beside pyperf", done, len(work))
    result = ratios.estimate(measured)
    return tuple(Agreement(" ".join(cell), *result[cell].interval()) for cell in chosen)


def _pyperf_values(cell: tuple[str, str, str]) -> list[float]:
    """Return the seconds of each call in one process of pyperf."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "pyperf.json")
        shape = ["--processes=1", f"--values={paired.CALLS}", "--loops=1", "--warmups=1", "--quiet"]
        command = [sys.executable, "-m", "persistbench.calibrate.pyperf_child", *shape]
        command += [f"--output={output}", f"--inherit-environ=TMPDIR,PYTHONPATH,{CELL}"]
        environ = {**os.environ, CELL: json.dumps(cell)}
        environ["PYTHONPATH"] = str(suite.checkout())
        subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)  # noqa: S603
        (own,) = json.loads(output.read_text())["benchmarks"][0]["runs"]
        values: list[float] = own["values"]
        return values


def _wall(rows: Rows) -> float:
    return statistics.median(own for own, _ in rows[1:] or rows)
