"""How many payloads run, and how many of 100 flipped bits go unnoticed or kill the process?

Quick forms of `persistbench try safety`, so that a change in a library shows in asv's history. Each
trial runs in the sandbox.
"""

from collections import Counter

from benchmarks._grid import BACKENDS, Grid, once_in_a_run
from persistbench.errors import UnsupportedError
from persistbench.outcomes import Outcome
from persistbench.trials import kinds, selection

FLIPS = 100  # the first of those that `persistbench try safety` flips in `small`
PATIENCE = 1e6


class _Safety(Grid):
    params = (["small"], BACKENDS)

    def prepare(self, cell):
        if cell.backend.claims.returns == "bytes":
            raise UnsupportedError(f"{cell.backend.id} loads nothing but bytes")
        self.value = self.count(once_in_a_run(f"{self.kind}-{cell.backend.id}", self.records))

    def records(self):
        """Return the records of this kind of trial for this backend."""
        selected = selection.usual(["small"], [self.backend.id], FLIPS, PATIENCE)
        (kind,) = kinds.chosen([self.kind])
        return [record for task in kind(selected).tasks() for record in task()]


class ExecutesCode(_Safety):
    kind = "code"
    unit = "payloads"

    def count(self, records):
        """Count those whose marker was there, without a list that a user has written."""
        return sum(
            record["marker"] in ("audit", "load", "use") and record["place"] != "reviewed"
            for record in records
        )

    def track_executes_code(self, pipeline, backend):
        return self.value


class _Flipped(_Safety):
    kind = "bit-flip"
    unit = f"of {FLIPS} flipped bits"

    def count(self, records):
        result = sum((Counter(record["counts"]) for record in records), Counter())
        return sum(result[outcome] for outcome in self.outcomes)


class SilentWrong(_Flipped):
    outcomes = (Outcome.VALUES_DIFFER, Outcome.LABELS_DIFFER)

    def track_silent_wrong(self, pipeline, backend):
        return self.value


class Crashes(_Flipped):
    outcomes = (Outcome.CRASH,)

    def track_crashes(self, pipeline, backend):
        return self.value
