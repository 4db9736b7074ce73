"""How long does saving take? To the page cache: no backend calls fsync, none is added."""

from functools import cache
from pathlib import Path

from benchmarks._grid import Grid, in_turn
from persistbench.measure import paired
from persistbench.outcomes import Outcome


@cache
def _saved(fitted):
    """Return estimator and rows, once for all that are called in turn: they dump one object."""
    return fitted.load_estimator(), fitted.load_reference().X


class _Dumping(Grid):
    stage = Outcome.ERROR_AT_DUMP

    def prepare(self, cell):
        self.payload = cell.backend.payload(*_saved(cell.fitted))
        # asv's working directory: new, empty, in the same TMPDIR as all artifacts.
        self.path = str(Path("artifact").absolute())

    def reset(self):
        # Before every call: each one writes a new file, as a user does.
        Path("artifact").unlink(missing_ok=True)


class Dump(_Dumping):
    rounds = paired.PROCESSES
    ranks = True
    keeps_heap = True

    def references(self, cell):
        return in_turn(Dump)

    def time_dump(self, pipeline, backend):
        self.backend.dump(self.payload, self.path)
