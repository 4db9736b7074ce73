"""What does a fresh process pay before its first prediction, and where?

Every sample is a process of its own. All stages of a cell are those of the same processes:
the first stage that is asked starts them, the others take its answers from the folder of
the run.
"""

from benchmarks._grid import Grid, once_in_a_run
from persistbench import fresh
from persistbench.errors import UnsupportedError

PROCESSES = 3


class _Fresh(Grid):
    rounds = 1
    repeat = PROCESSES
    number = 1
    warmup_time = 0
    timeout = 600
    clock = 0.0

    def prepare(self, cell):
        if cell.backend.claims.returns == "bytes":
            raise UnsupportedError(f"{cell.backend.id} holds bytes, which predict nothing")
        self.processes = once_in_a_run(f"cell-{cell.key}", lambda: _measured(cell))

    def timer(self):
        """Return a clock that only a stage moves: its time was taken in another process."""
        return self.clock

    def take(self, cell):
        super().take(cell)
        self.left = list(self.processes)

    def spend(self, *stages):
        """Move the clock by what these stages took in the next process."""
        process = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        self.clock += sum(process[stage] for stage in stages)


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
    def time_fresh_total(self, pipeline, backend):
        self.spend(*fresh.STAGES)


class Interpreter(_Fresh):
    def time_fresh_interpreter(self, pipeline, backend):
        self.spend("interpreter")


class Imports(_Fresh):
    def time_fresh_imports(self, pipeline, backend):
        self.spend("imports")


class Read(_Fresh):
    def time_fresh_read(self, pipeline, backend):
        self.spend("read")


class Construct(_Fresh):
    def time_fresh_construct(self, pipeline, backend):
        self.spend("construct")


class Predict(_Fresh):
    def time_fresh_predict(self, pipeline, backend):
        self.spend("predict")


class Modules(_Fresh):
    unit = "modules"

    def track_fresh_modules(self, pipeline, backend):
        return self.processes[0]["modules"]
