"""How do dump and load grow with the size of what is saved?

Not the pipelines of the catalogue, but one array of 1 to 256 MB (PERSISTBENCH_MAX_MB), and 1,000
to 1,000,000 small Python objects.
"""

import sys

from benchmarks._elsewhere import Elsewhere
from benchmarks._grid import BACKENDS, once_in_a_run
from persistbench import backends
from persistbench.cases import scaled
from persistbench.cells import claims
from persistbench.cells.cell import Cell
from persistbench.errors import UserError
from persistbench.measure import scaling
from persistbench.outcomes import Outcome, Verdict
from persistbench.records import outcome

try:
    SIZES = list(scaled.pipelines())
except UserError as error:
    sys.exit(f"persistbench: {error}")


class _Scaling(Elsewhere):
    params = (SIZES, BACKENDS)
    repeat = scaling.PASSES

    def examine(self, pipeline, backend):
        cell = Cell(scaled.pipelines()[pipeline], backends.get(backend))
        kind = cell.pipeline.kind
        measured = once_in_a_run(
            f"scaling-{kind}-{backend}", lambda: scaling.measure(kind, cell.backend)
        )
        self.measured = measured[pipeline]
        known = self.measured.get("verdict")
        verdict = Verdict.from_dict(known) if known else Verdict(Outcome.SAME)
        claims.keep(cell)
        outcome.keep(cell, verdict, self.question)
        self.admit(cell, verdict)
        self.prepare(cell)
        self.cell = cell

    def prepare(self, cell):
        self.samples = self.measured[self.direction]


class ScaleDump(_Scaling):
    direction = "dump"

    def time_scale_dump(self, pipeline, backend):
        self.spend()


class ScaleLoad(_Scaling):
    direction = "load"

    def time_scale_load(self, pipeline, backend):
        self.spend()


class ScaleFaults(_Scaling):
    unit = "page faults"

    def prepare(self, cell):
        self.faults = sorted(self.measured["faults"])[len(self.measured["faults"]) // 2]

    def track_scale_faults(self, pipeline, backend):
        return self.faults
