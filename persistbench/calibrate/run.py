"""Does the instrument find what is there, and nothing else, on this machine?

Three trials of the calls in turn that the suite compares backends with, in the same loop:

- A/A: a backend against itself. What is called different is a false alarm.
- A planted slow-down of 5 % and 10 %: what is not called different is a miss.
- The same call timed by pyperf in the same loop: two instruments, one time.
"""

import json
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from persistbench import backends, files
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.errors import UserError
from persistbench.measure import paired
from persistbench.records import libraries
from persistbench.records.calibration import (
    ALLOWED_ALARMS,
    FILE,
    REQUIRED,
    Agreement,
    Calibration,
    Planted,
    needed,
)
from persistbench.statistics import ratios
from persistbench.suite import registration
from persistbench.suite import run as suite

BACKENDS = (backends.REFERENCE, "joblib")
QUESTIONS = ("load", "dump")
PLANTED = (0.0, *REQUIRED)

LONGEST = paired.QUICK.seconds
"""Cells whose call takes longer are left out: a process makes too few pairs of them."""

SHORTEST = 1e-3
"""Seconds; a shorter call has no slow-down planted: nobody is promised that it would be found."""

COMPARED, PYPERF_PROCESSES = 5, 4
"""So many cells, from the quickest to the slowest, pyperf measures too; in so many processes."""

CELL = "PERSISTBENCH_CELL"
"""Environment variable: what a process of pyperf measures, as JSON."""


class Task(NamedTuple):
    """One process: a cell, and how much slower it is made."""

    question: str
    pipeline: str
    backend: str
    slower: float = 0.0


Rows = list[tuple[float, float]]
"""Of one process: the wall time of each call, and of the same call just before it."""


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
    sys.path.insert(0, str(root))
    import benchmarks.dump
    import benchmarks.load  # noqa: F401 (the processes are forked with the suite imported)

    name = registration.register()
    looked = _usable(step)
    cells = list(looked)
    rows: dict[Task, list[Rows]] = defaultdict(list)
    tasks = planned(looked)
    for process in range(paired.PROCESSES):
        for done, (task, result) in enumerate(_measured(tasks), start=1):
            rows[task].append(result)
            step(
                "each against itself, and made slower",
                process * len(tasks) + done,
                paired.PROCESSES * len(tasks),
            )
    agreements = _pyperf(cells, rows, step) if find_spec("pyperf") else ()
    verdict = _judged(cells, rows, agreements, time.monotonic() - started)
    path = root / "results" / name / FILE
    files.publish(path, json.dumps(asdict(verdict)) + "\n")
    return verdict, path


def planned(looked: dict[tuple[str, str, str], float]) -> list[Task]:
    """Return what is measured in each round.

    Args:
        looked: the seconds of a call of each cell.
    """
    return [
        Task(*cell, by)
        for cell, seconds in looked.items()
        for by in PLANTED
        if by == 0 or seconds > SHORTEST
    ]


def ready(task: Task) -> Any:
    """Return the suite's own benchmark of a cell, with the same backend as its reference."""
    from benchmarks.dump import Dump
    from benchmarks.load import Load

    question: Any = {"load": Load, "dump": Dump}[task.question]
    benchmark = question()
    benchmark.references = lambda cell: (
        (backends.FLOOR, question, backends.FLOOR),
        ("same", question, task.backend),
    )
    benchmark.setup(task.pipeline, task.backend)
    if task.slower:
        benchmark.call = _slowed(benchmark.call, task.slower)
    return benchmark


def row(benchmark: Any, task: Task) -> tuple[float, float]:
    """Make the calls in turn as asv does, and return one row."""
    benchmark.setup(task.pipeline, task.backend)
    start = benchmark.timer()
    benchmark.call()
    wall = benchmark.timer() - start
    benchmark.teardown(task.pipeline, task.backend)
    return wall, benchmark.turns[len(benchmark.twins) - 1]  # the last twin is the same backend


def turns(task: Task, seconds: float = paired.SECONDS, least: int = paired.QUICK.calls) -> Rows:
    """Return the rows of this process, as asv makes them; the first one does not count.

    Args:
        task: what is measured.
        seconds: for so long.
        least: so many rows at least after the first.
    """
    benchmark = ready(task)
    start = time.perf_counter()
    rows = [row(benchmark, task)]
    while time.perf_counter() < start + benchmark.warmup_time:
        rows.append(row(benchmark, task))
    most, end = len(rows) + paired.CALLS, time.perf_counter() + seconds
    while len(rows) < 1 + least or (len(rows) < most and time.perf_counter() < end):
        rows.append(row(benchmark, task))
    return rows


def _slowed(call: Callable[[], Any], by: float) -> Callable[[], None]:
    def slowed() -> None:
        start = time.perf_counter()
        call()
        end = start + (time.perf_counter() - start) * (1 + by)
        while time.perf_counter() < end:
            pass

    return slowed


def _usable(step: Callable[[str, int, int], None]) -> dict[tuple[str, str, str], float]:
    """Return the cells that hold a right answer and are quick enough, with a call's seconds."""
    # `raw` is called in turn with all, as in the suite.
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
        step("looking how long each call takes", done, len(tasks))
    return result


def _measured(
    tasks: list[Task], seconds: float = paired.SECONDS, least: int = paired.QUICK.calls
) -> Iterator[tuple[Task, Rows]]:
    """Yield each task with the rows of a process of its own."""
    context = multiprocessing.get_context("fork")
    with (
        tempfile.TemporaryDirectory() as folder,
        context.Pool(1, os.chdir, (folder,), maxtasksperchild=1) as pool,
    ):
        measure = partial(turns, seconds=seconds, least=least)
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
        (made,) = json.loads(output.read_text())["benchmarks"][0]["runs"]
        values: list[float] = made["values"]
        return values


def _judged(
    cells: list[tuple[str, str, str]],
    rows: dict[Task, list[Rows]],
    agreements: tuple[Agreement, ...],
    seconds: float,
) -> Calibration:
    """Return the verdict; what is called different is decided as in the report."""
    measured = {
        (cell, by): [[own / same for own, same in process[1:]] for process in rows[Task(*cell, by)]]
        for cell in cells
        for by in PLANTED
        if Task(*cell, by) in rows
    }
    estimates = ratios.estimate(measured)
    different = {
        key: not result.interval()[1] <= 1 <= result.interval()[2]
        for key, result in estimates.items()
    }
    large = [cell for cell in cells if all((cell, by) in measured for by in PLANTED)]
    many = [
        [ratios.typical(process) for process in measured[cell, 0.0]]
        for cell in cells
        if len(measured[cell, 0.0][0]) >= ratios.GROUPS[-2]
    ]
    usual = ratios.usual(many)
    noise = math.sqrt(usual.variance)
    planted = tuple(
        Planted(by, len(large), sum(different[cell, by] for cell in large)) for by in PLANTED if by
    )
    return Calibration(
        datetime.now(UTC).isoformat(timespec="seconds"),
        len(cells),
        sum(different[cell, 0.0] for cell in cells),
        planted,
        noise,
        needed([_between(estimates[cell, 0.0]) for cell in large], planted),
        agreements,
        round(seconds, 1),
        libraries.versions({*libraries.LIBRARIES, "asv", libraries.INSTRUMENT}),
        _wider([estimates[cell, 0.0] for cell in cells]),
    )


def _between(found: ratios.LogRatio) -> float:
    """Return the variance between the processes of a cell."""
    return (found.variance - ratios.SHARED_SD**2) * paired.PROCESSES


def _wider(same: list[ratios.LogRatio]) -> float:
    """Return the factor by which the intervals of equal things are too narrow, at least 1."""
    reaches = [(abs(result.mean), math.log(result.interval()[2]) - result.mean) for result in same]
    needed = sorted((distance / reach for distance, reach in reaches), reverse=True)
    allowed = math.floor(ALLOWED_ALARMS * len(same))
    return max(1.0, round(needed[allowed] * 1.001, 3)) if needed else 1.0


def _wall(rows: Rows) -> float:
    return statistics.median(own for own, _ in rows[1:] or rows)
