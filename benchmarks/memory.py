"""How much memory does one dump or one load need at most, beside what is there before?

In bytes; as a multiple of the payload it says whether a backend holds a second copy. A backend
that compresses as it writes shows as such.
"""

import time

from benchmarks._grid import Grid
from benchmarks.dump import _Dumping
from persistbench.system import memory

_SLOW = 0.5


def _peak(question):
    """Return the peak of the second call, when code and lasting buffers are in memory.

    Of a slow one that of the first: a few MB more, beside a payload that takes seconds.
    """
    start = time.perf_counter()
    result = memory.peak(question.call_backend, question.reset)
    if time.perf_counter() - start < _SLOW:
        result = memory.peak(question.call_backend, question.reset)
    return result


class PeakLoad(Grid):
    unit = "bytes"

    def prepare(self, cell):
        memory.require()
        super().prepare(cell)

    def call_backend(self):
        self.loaded = self.backend.load(self.path)

    def track_peak_load(self, pipeline, backend):
        return _peak(self)


class PeakDump(_Dumping):
    unit = "bytes"

    def prepare(self, cell):
        memory.require()
        super().prepare(cell)

    def call_backend(self):
        self.backend.dump(self.payload, self.path)

    def track_peak_dump(self, pipeline, backend):
        return _peak(self)
