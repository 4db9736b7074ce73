"""What does the first load, or dump, of a process cost? Prints a table for methodology.md.

Run in a checkout: `.venv/bin/python docs/experiments/first_call.py [ROUNDS]`. Each line is a ratio
to pickle-5: of really started interpreters, of forks of one started interpreter, and of the suite's
hot loop. In each round both backends are called in turn, so the drift of the machine cancels.
"""

import math
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells import cell as cells
from persistbench.cells.cell import Cell
from persistbench.measure import actions, first_call, fresh
from persistbench.measure.first_call import Call, Mother
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


def compared(one, other, sample, rounds):
    """Return the typical log ratio of two calls and its spread, as text."""
    logs = []
    for number in range(rounds):
        pair = (one, other) if number % 2 else (other, one)
        wall = {call: sample(call).wall for call in pair}
        logs.append([wall[one] / wall[other]])
    result = ratios.estimate({"": logs})[""]
    value, low, high = result.interval()
    return value, f"{value:6.2f} ({low:.2f} to {high:.2f})"


def hot(cell):
    """Return the ratio of the suite's loop, in one process."""
    loop = actions.pair(cell, actions.Load, (("", actions.Load, "pickle-5"),))
    rows = loop.rows()
    return math.exp(ratios.typical([row.wall / row.references[0] for row in rows[1:] or rows]))


def main(rounds):
    """Print the table."""
    known = artifacts()
    print(
        "| load | started interpreters | forks | fork ÷ started | hot loop |\n|---|---|---|---|---|"
    )
    for name in PIPELINES:
        reference = known[name, "pickle-5"]
        own = [cell for (pipeline, _), cell in known.items() if pipeline == name]
        imported = fresh.imports(own)

        def call(cell):
            tiny = str(known["small", cell.backend.id].artifact)
            names = (*cell.pipeline.trusted, *known["small", cell.backend.id].pipeline.trusted)
            return Call(cell.backend.id, str(cell.artifact), tiny, names)

        with Mother(imported.shared) as mother:
            for cell in own[1:]:
                modules = [*imported.shared, *imported.own[cell.backend.id]]
                pair = (call(cell), call(reference))
                real, shown = compared(*pair, partial(first_call.started, modules=modules), rounds)
                fork, also = compared(*pair, mother.sample, 2 * rounds)
                print(
                    f"| `{name}`, {cell.backend.id} | {shown} | {also} | {fork / real:.2f} "
                    f"| {hot(cell):.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
