"""What does a fresh process pay before its first prediction, and where?

All backends of a pipeline share three processes: each starts and imports what all need, and is
then copied for every backend, which imports what is its own, loads and predicts once. The first
stage that asv measures starts them. The others read the answers in the folder of the run.
"""

import os

from benchmarks._elsewhere import Elsewhere
from benchmarks._grid import once_in_a_run
from persistbench import backends
from persistbench.backends import REFERENCE
from persistbench.cells.cell import Cell
from persistbench.errors import UnsupportedError
from persistbench.measure import fresh
from persistbench.records.questions import STAGES

PROCESSES = 3


class _Fresh(Elsewhere):
    repeat = PROCESSES
    timeout = 600
    stages = ()

    def prepare(self, cell):
        if cell.backend.claims.returns == "bytes":
            raise UnsupportedError(f"{cell.backend.id} holds bytes, which predict nothing")
        measured = _measured(cell)
        self.modules, self.processes = measured["modules"], measured["processes"]
        self.samples = [sum(one[stage] for stage in self.stages) for one in self.processes]


def _measured(cell):
    """Return what is known of this cell, and of others that were found to be right before."""
    # A predictor needs no scikit-learn: it shares no imports with what returns an estimator.
    kind = cell.backend.claims.returns
    name = f"fresh-{cell.pipeline.key}-{kind}"
    result = once_in_a_run(name, lambda: _of_group(_alike(cell) if hasattr(os, "fork") else [cell]))
    if cell.backend.id not in result:
        result = once_in_a_run(f"{name}-{cell.backend.id}", lambda: _of_group([cell]))
    return result[cell.backend.id]


def _alike(cell):
    """Return the right cells of this pipeline that give back the same kind of thing."""
    others = (
        Cell(cell.pipeline, backend)
        for backend in backends.discover().values()
        if backend.claims.returns == cell.backend.claims.returns and not backend.variant
    )
    right = [other for other in others if other.known_to_be_right]
    # The reference comes first: it has no library of its own.
    return sorted(right, key=lambda other: other.backend.id != REFERENCE) or [cell]


def _of_group(cells):
    imported = fresh.imports(cells)
    processes = [fresh.measure(cells, imported) for _ in range(PROCESSES)]
    return {
        cell.backend.id: {"modules": imported.count(cell.backend.id), "processes": list(own)}
        for cell, own in zip(cells, zip(*processes, strict=True), strict=True)
    }


class Total(_Fresh):
    stages = STAGES

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
