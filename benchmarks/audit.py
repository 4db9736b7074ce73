"""How long does it take to inspect an artifact before it is loaded?

A load that checks names pays for that, too: it is part of its load time. Asked only of backends
that offer such an inspection.
"""

from benchmarks._grid import BACKENDS, PIPELINES, Timed
from persistbench import backends
from persistbench.measure import actions


class Audit(Timed):
    params = (PIPELINES, [name for name in BACKENDS if backends.get(name).claims.audits])
    action = actions.Audit

    def time_audit(self, pipeline, backend):
        self.sample()
