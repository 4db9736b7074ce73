"""How much memory do 1, 2, 4 and 8 processes need that hold the same artifact and answer?

The sum of their proportional set sizes, loaded and memory-mapped; of the eight also the sum
of what is theirs alone, and that of their resident sets, which counts shared pages eight times.
Asked of what can be mapped, and of the reference: all others leave the same objects in memory.
"""

from benchmarks._grid import MAPPING, PIPELINES, Grid, once_in_a_run
from persistbench.backends import REFERENCE
from persistbench.errors import UnsupportedError
from persistbench.measure import workers
from persistbench.records.questions import COUNTS


class _Workers(Grid):
    unit = "bytes"

    def prepare(self, cell):
        workers.require()
        if not workers.sensible(self.count):
            raise UnsupportedError(f"{self.count} processes on one core say nothing")
        if cell.backend.claims.returns == "bytes":
            raise UnsupportedError(f"{cell.backend.id} holds bytes, which predict nothing")
        self.held = once_in_a_run(
            f"workers-{cell.key}-{self.count}",
            lambda: workers.hold(cell, self.count, self.mapped),
        )


def _question(count, kind, mapped):
    """Return the class of one question."""

    def track(self, pipeline, backend):
        return self.held[kind]

    name = f"{'map_' * mapped}workers_{count}_{kind}"
    # What cannot be mapped leaves the same objects in memory as the reference.
    backend_ids = MAPPING if mapped else [REFERENCE, *MAPPING]
    facts = {
        "count": count,
        "mapped": mapped,
        "params": (PIPELINES, backend_ids),
        f"track_{name}": track,
        "__module__": __name__,
    }
    return type(name.title().replace("_", ""), (_Workers,), facts)


for _count in COUNTS:
    for _kind in workers.KINDS if _count == COUNTS[-1] else ("pss",):
        for _mapped in (False, True):
            _class = _question(_count, _kind, _mapped)
            globals()[_class.__name__] = _class
del _class
