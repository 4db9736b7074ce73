"""How long does loading take when the file is not in memory, as after a deployment or a restart?

Before every call the file is written to the disk and dropped from the page cache. A check follows
that no page is left. Caches below this system are not emptied, such as those of a virtual
machine's host.
"""

from benchmarks._grid import Timed
from persistbench.measure import actions


class LoadCold(Timed):
    action = actions.LoadCold
    repeat = (1, 10, 0.2)

    def time_load_cold(self, pipeline, backend):
        self.sample()
