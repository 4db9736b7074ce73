"""What does memory mapping save at load, and charge afterwards?

Three figures, each beside the same figure of the ordinary load, because a map that was
never touched has loaded nothing:

- the mapping itself (``time_map``; beside it ``load.Load.time_load``),
- load plus first use (``time_map_first_predict``, ``time_load_first_predict``),
- the steady use after it (``time_map_steady_predict``, ``time_load_steady_predict``); not asked
  of what cannot be mapped, which is the same pipeline in memory whatever its file was.

Use is ``predict`` of the held-out rows, or ``transform`` where nothing is predicted.
"""

from operator import methodcaller

from benchmarks._grid import MAPPING, PIPELINES, Grid
from benchmarks.load import Load as _Load
from persistbench.errors import UnsupportedError
from persistbench.outcomes import Outcome


class _Use(Grid):
    stage = Outcome.ERROR_AT_USE

    def prepare(self, cell):
        super().prepare(cell)
        if cell.backend.claims.returns == "bytes":
            raise UnsupportedError(f"{cell.backend.id} holds bytes, which predict nothing")
        reference = cell.fitted.load_reference()
        self.use = methodcaller(reference.first_use, reference.X)


class _SteadyUse(_Use):
    params = (PIPELINES, MAPPING)

    def prepare(self, cell):
        super().prepare(cell)
        self.steady = self.backend.load(self.path, "r" if self.mapped else None)
        self.use(self.steady)


class LoadFirst(_Use):
    rounds = 1

    def time_load_first_predict(self, pipeline, backend):
        self.loaded = self.backend.load(self.path)
        self.used = self.use(self.loaded)


class LoadSteady(_SteadyUse):
    def time_load_steady_predict(self, pipeline, backend):
        self.used = self.use(self.steady)


class Map(Grid):
    mapped = True

    def references(self, cell):
        return (("load", _Load, cell.backend.id),)

    def time_map(self, pipeline, backend):
        self.loaded = self.backend.load(self.path, "r")


class MapFirst(_Use):
    mapped = True

    def references(self, cell):
        return (("load", LoadFirst, cell.backend.id),)

    def time_map_first_predict(self, pipeline, backend):
        self.loaded = self.backend.load(self.path, "r")
        self.used = self.use(self.loaded)


class MapSteady(_SteadyUse):
    mapped = True

    def references(self, cell):
        return (("load", LoadSteady, cell.backend.id),)

    def time_map_steady_predict(self, pipeline, backend):
        self.used = self.use(self.steady)
