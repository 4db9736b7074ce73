"""What does memory mapping save at load, and charge afterwards?

Three figures, each beside the same figure of the ordinary load, because a map that was
never touched has loaded nothing:

- the mapping itself (``time_map``; beside it ``load.Load.time_load``),
- load plus first use (``time_map_first_predict``, ``time_load_first_predict``),
- the steady use after it (``time_map_steady_predict``, ``time_load_steady_predict``); not asked
  of what cannot be mapped, which is the same pipeline in memory whatever its file was.

Use is ``predict`` of the held-out rows, or ``transform`` where nothing is predicted.
"""

from benchmarks._first import FirstCall
from benchmarks._grid import MAPPING, PIPELINES, Timed
from persistbench.measure import actions


class LoadFirst(FirstCall):
    uses = True

    def time_load_first_predict(self, pipeline, backend):
        self.spend()


class LoadSteady(Timed):
    action = actions.LoadSteady
    params = (PIPELINES, MAPPING)

    def time_load_steady_predict(self, pipeline, backend):
        self.sample()


class Map(FirstCall):
    mapped = True
    beside_own_load = True

    def time_map(self, pipeline, backend):
        self.spend()


class MapFirst(FirstCall):
    mapped = True
    uses = True
    beside_own_load = True

    def time_map_first_predict(self, pipeline, backend):
        self.spend()


class MapSteady(Timed):
    action = actions.MapSteady
    params = (PIPELINES, MAPPING)

    def time_map_steady_predict(self, pipeline, backend):
        self.sample()
