"""How long does loading take, with the file in the page cache?"""

from benchmarks._grid import Grid, in_turn
from persistbench.measure import paired


class Load(Grid):
    rounds = paired.PROCESSES
    ranks = True
    keeps_heap = True

    def references(self, cell):
        return in_turn(Load)

    def time_load(self, pipeline, backend):
        self.loaded = self.backend.load(self.path)
