"""How long does loading take when the file is not in memory, as after a deployment or a restart?

Before every call the file is written to the disk and dropped from the page cache, and it is
checked that no page is left. What lies below this system, such as the host's cache of a
virtual machine, is not emptied.
"""

from benchmarks._grid import Timed
from persistbench.measure import actions


class LoadCold(Timed):
    action = actions.LoadCold
    repeat = (1, 10, 0.2)

    def time_load_cold(self, pipeline, backend):
        self.sample()
