"""How long does it take to look into an artifact before it is loaded?

A load that checks names pays for that, too: it is part of its load time. Asked only of backends
that offer such a look.
"""

from benchmarks._grid import BACKENDS, PIPELINES, Grid
from persistbench import backends


class Audit(Grid):
    params = (PIPELINES, [name for name in BACKENDS if backends.get(name).claims.audits])

    def time_audit(self, pipeline, backend):
        self.loaded = self.backend.audit(self.path)
