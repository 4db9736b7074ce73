"""How many held-out predictions change by saving and loading?

The one question that a wrong cell answers with a number.
"""

from benchmarks._grid import Grid
from persistbench.errors import UnsupportedError
from persistbench.outcomes import Blame


class LabelChanges(Grid):
    unit = "predictions"

    def admit(self, cell, verdict):
        self.changes = verdict.label_changes
        self.uncompared = [text for text in verdict.uncompared if text.startswith("predict:")]
        if self.changes is None:
            super().admit(cell, verdict)

    def prepare(self, cell):
        # Nothing to make: the examination of the cell has counted.
        if self.changes is not None:
            return
        if self.uncompared:
            self.fault = Blame.PIPELINE
            raise UnsupportedError("; ".join(self.uncompared))
        raise UnsupportedError("there is no predict to compare: only bytes or transforms")

    def track_label_changes(self, pipeline, backend):
        return self.changes
