"""What does a fresh process pay before its first prediction, and where?

Every sample is a process of its own. All stages of a cell are those of the same processes:
the first stage that is asked starts them, the others take its answers from the folder of
the run.
"""

from benchmarks._elsewhere import Elsewhere
from benchmarks._grid import once_in_a_run
from persistbench import fresh
from persistbench.errors import UnsupportedError

PROCESSES = 2


class _Fresh(Elsewhere):
    repeat = PROCESSES
    timeout = 600
    stages = ()

    def prepare(self, cell):
        if cell.backend.claims.returns == "bytes":
            raise UnsupportedError(f"{cell.backend.id} holds bytes, which predict nothing")
        self.processes = once_in_a_run(f"cell-{cell.key}", lambda: _measured(cell))
        self.samples = [sum(one[stage] for stage in self.stages) for one in self.processes]


def _measured(cell):
    # What load and predict import depends on the pipeline and on the backend's library.
    library = type(cell.backend).__module__
    modules = once_in_a_run(
        f"modules-{cell.pipeline.key}-{library}", lambda: fresh.measure(cell, None)["modules"]
    )
    return [
        {**found, "modules": len(found["modules"])}
        for found in (fresh.measure(cell, modules) for _ in range(PROCESSES))
    ]


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
        return self.processes[0]["modules"]
