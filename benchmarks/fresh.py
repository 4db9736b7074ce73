"""What does a fresh process pay before its first prediction, and where?

The backends of one library import the same, and so share three processes for each pipeline: each
starts and imports, and is then copied for every load with its first predict. The first stage that
is asked starts them, the others take its answers from the folder of the run.
"""

import os

from benchmarks._elsewhere import Elsewhere
from benchmarks._grid import once_in_a_run
from persistbench import backends, fresh
from persistbench.cells import Cell
from persistbench.errors import UnsupportedError

PROCESSES = 3


class _Fresh(Elsewhere):
    repeat = PROCESSES
    timeout = 600
    stages = ()

    def prepare(self, cell):
        if cell.backend.claims.returns == "bytes":
            raise UnsupportedError(f"{cell.backend.id} holds bytes, which predict nothing")
        measured = _measured(cell)
        self.modules, self.processes = measured["modules"], measured[cell.backend.id]
        self.samples = [sum(one[stage] for stage in self.stages) for one in self.processes]


def _measured(cell):
    """Return what is known of this cell, and of others that were found to be right before."""
    library = type(cell.backend).__module__
    name = f"fresh-{cell.pipeline.key}-{library}"
    others = (Cell(cell.pipeline, backend) for backend in backends.discover().values())
    alike = [
        other
        for other in others
        if type(other.backend).__module__ == library and other.known_to_be_right
    ]
    found = once_in_a_run(name, lambda: _of_group(alike if hasattr(os, "fork") else [cell]))
    if cell.backend.id not in found:
        found = once_in_a_run(f"{name}-{cell.backend.id}", lambda: _of_group([cell]))
    return found


def _of_group(cells):
    imported = fresh.modules(cells[0])
    processes = [fresh.measure(cells, imported) for _ in range(PROCESSES)]
    found = {
        cell.backend.id: list(own)
        for cell, own in zip(cells, zip(*processes, strict=True), strict=True)
    }
    return found | {"modules": len(imported)}


class Total(_Fresh):
    stages = fresh.STAGES

    def time_fresh_total(self, pipeline, backend):
        self.spend()


class Interpreter(_Fresh):
    stages = ("interpreter",)

    def time_fresh_interpreter(self, pipeline, backend):
        self.spend()


class Imports(_Fresh):
    stages = ("imports",)

    def time_fresh_imports(self, pipeline, backend):
        self.spend()


class Read(_Fresh):
    stages = ("read",)

    def time_fresh_read(self, pipeline, backend):
        self.spend()


class Construct(_Fresh):
    stages = ("construct",)

    def time_fresh_construct(self, pipeline, backend):
        self.spend()


class Predict(_Fresh):
    stages = ("predict",)

    def time_fresh_predict(self, pipeline, backend):
        self.spend()


class Modules(_Fresh):
    unit = "modules"

    def track_fresh_modules(self, pipeline, backend):
        return self.modules
