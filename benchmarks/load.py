"""How long does loading take, with the file in the page cache?"""

from benchmarks._grid import Timed
from persistbench.measure import actions, paired


class Load(Timed):
    action = actions.Load
    rounds = paired.PROCESSES
    ranks = True

    def time_load(self, pipeline, backend):
        self.sample()
