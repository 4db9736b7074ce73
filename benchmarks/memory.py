"""How much memory does one dump or one load need at most, beside what is there before?

In bytes; as a multiple of the payload it says whether a backend holds a second copy. A backend
that compresses as it writes shows as such.
"""

from benchmarks._grid import Grid
from persistbench.measure import actions
from persistbench.system import memory


class _Peak(Grid):
    unit = "bytes"
    action = None

    def prepare(self, cell):
        memory.require()
        self.call = self.action(cell)

    def stage(self, error):
        return actions.stage_of(error, self.action)


class PeakLoad(_Peak):
    action = actions.Load

    def track_peak_load(self, pipeline, backend):
        return memory.settled_peak(self.call.call, self.call.reset)


class PeakDump(_Peak):
    action = actions.Dump

    def track_peak_dump(self, pipeline, backend):
        return memory.settled_peak(self.call.call, self.call.reset)
