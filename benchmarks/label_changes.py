"""How many held-out predictions change by saving and loading?

The one question that a wrong cell answers with a number.
"""

from benchmarks._grid import Grid
from persistbench.errors import UnsupportedError


class LabelChanges(Grid):
    unit = "predictions"

    def admit(self, cell, verdict):
        self.changes = verdict.label_changes
        self.uncompared = [text for text in verdict.uncompared if text.startswith("predict:")]
        if self.changes is None:
            super().admit(cell, verdict)

    def prepare(self, cell):
        # Nothing to make: the examination of the cell has counted.
        if self.changes is None:
            nothing = "there is no predict to compare: only bytes or transforms"
            raise UnsupportedError("; ".join(self.uncompared) or nothing)

    def track_label_changes(self, pipeline, backend):
        return self.changes
