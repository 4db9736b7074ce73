"""What does a service pay that loads, or dumps, again and again in one process?

The allocator keeps what is freed, and finds its memory touched. Whoever loads once pays more: see
``load`` and ``dump``.
"""

from benchmarks._grid import Timed
from persistbench.measure import actions, paired


class Load(Timed):
    action = actions.Load
    rounds = paired.PROCESSES
    ranks = True

    def time_load_repeated(self, pipeline, backend):
        self.sample()


class Dump(Timed):
    action = actions.Dump
    rounds = paired.PROCESSES
    ranks = True

    def time_dump_repeated(self, pipeline, backend):
        self.sample()
