"""What does the first load, or dump, of a process cost? Prints a table for methodology.md.

Run in a checkout: `.venv/bin/python docs/experiments/first_call.py [ROUNDS] [dump]`. Each line is a
ratio to pickle-5: of really started interpreters, of the suite's forks of one, and of the suite's
loop of repeated calls. In each round both backends are called in turn, so the drift cancels.
"""

import math
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells import cell as cells
from persistbench.cells.cell import Cell
from persistbench.measure import actions, calls, first_call, look
from persistbench.statistics import ratios

PIPELINES = ("small", "forest", "text", "boosting", "large_array", "sparse")
BACKENDS = ("joblib", "joblib-zlib-3", "cloudpickle", "pickle-5-zstd-3", "pickle-5-oob", "skops")
ROUNDS = 7


def artifacts():
    """Return right cells by pipeline and backend."""
    result = {}
    for name in PIPELINES:
        pipeline = catalogue.get(name)
        own = [Cell(pipeline, backends.get(one)) for one in ("pickle-5", *BACKENDS)]
        for cell, verdict in zip(own, cells.examine(own), strict=True):
            if verdict.same:
                result[name, cell.backend.id] = cell
    return result


def estimated(pairs):
    """Return the typical ratio of pairs of seconds, and its interval."""
    return ratios.estimate({"": [[one / other] for one, other in pairs]})[""].interval()


def started(one, other, modules, rounds):
    """Return pairs of calls in really started interpreters."""
    result = []
    for number in range(rounds):
        turn = (one, other) if number % 2 else (other, one)
        wall = {call: first_call.started(call, modules).wall for call in turn}
        result.append((wall[one], wall[other]))
    return result


def hot(cell, action):
    """Return the ratio of the suite's loop, in one process."""
    rows = actions.pair(cell, action, (("", action, "pickle-5"),)).rows()
    return math.exp(ratios.typical([row.wall / row.references[0] for row in rows[1:] or rows]))


def main(rounds, dumps):
    """Print the table."""
    known = artifacts()
    heading = "dump" if dumps else "load"
    print(f"| {heading} | started | forks | forks ÷ started | agree | repeated |")
    print("|---|---|---|---|---|---|")
    for name in PIPELINES:
        own = {backend: cell for (pipeline, backend), cell in known.items() if pipeline == name}
        group = calls.beside_reference(list(own.values()), dumps)
        modules = look.measure([group], 2 * rounds).modules
        one = {backend: calls.call(cell, dumps) for backend, cell in own.items()}
        for backend in BACKENDS:
            if backend not in own:
                continue
            rows = [(row.sample.wall, row.reference) for row in group.rows[backend]]
            forks = estimated(rows)
            pair = [own[name] for name in (backend, "pickle-5")]
            copies = [] if dumps else [(str(c.artifact), one[c.backend.id].path) for c in pair]
            with actions.just_written(copies):
                real = estimated(started(one[backend], one["pickle-5"], modules, rounds))
            apart = forks[0] / real[0]
            agree = 1 / 1.1 <= apart <= 1.1 or (forks[1] <= real[2] and real[1] <= forks[2])
            shown = [f"{value:.2f} ({low:.2f} to {high:.2f})" for value, low, high in (real, forks)]
            wall = ratios.typical([wall for wall, _ in rows])
            again = hot(own[backend], actions.Dump if dumps else actions.Load)
            print(
                f"| `{name}`, {backend}, {1000 * math.exp(wall):.2g} ms | {shown[0]} | {shown[1]} "
                f"| {apart:.2f} | {'yes' if agree else 'no'} | {again:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        numbers = [int(one) for one in arguments if one.isdigit()]
        main(numbers[0] if numbers else ROUNDS, "dump" in arguments)
