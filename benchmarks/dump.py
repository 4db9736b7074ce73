"""How long does saving take? To the page cache: no backend calls fsync, none is added."""

from benchmarks._grid import Timed
from persistbench.measure import actions, paired


class Dump(Timed):
    action = actions.Dump
    rounds = paired.PROCESSES
    ranks = True

    def time_dump(self, pipeline, backend):
        self.sample()
