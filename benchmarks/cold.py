"""How long does loading take when the file is not in memory, as after a deployment or a restart?

Before every call the file is written to the disk and dropped from the page cache, and it is
checked that no page is left. What lies below this system, such as the host's cache of a
virtual machine, is not emptied.
"""

from benchmarks._grid import Grid, in_turn
from persistbench.system import page_cache


class LoadCold(Grid):
    repeat = (1, 10, 0.2)
    keeps_heap = True
    warming = 1  # each call writes its file first

    def references(self, cell):
        return in_turn(LoadCold)

    def prepare(self, cell):
        super().prepare(cell)
        page_cache.evict(self.path)  # n/a where it cannot be done

    def before(self):
        page_cache.evict(self.path)

    def time_load_cold(self, pipeline, backend):
        self.loaded = self.backend.load(self.path)
