"""How long does saving take? To the page cache: no backend calls fsync, none is added."""

from pathlib import Path

from benchmarks._grid import Grid
from persistbench.outcomes import Outcome


class Dump(Grid):
    stage = Outcome.ERROR_AT_DUMP

    def prepare(self, cell):
        self.payload = cell.backend.payload(cell.fitted.load_estimator())
        # asv's working directory: new, empty, in the same TMPDIR as all artifacts.
        self.path = str(Path("artifact").absolute())

    def teardown(self, pipeline, backend):
        super().teardown(pipeline, backend)
        # Before every call: each one writes a new file, as a user does.
        Path("artifact").unlink(missing_ok=True)

    def time_dump(self, pipeline, backend):
        self.backend.dump(self.payload, self.path)
