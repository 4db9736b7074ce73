"""How large is the artifact?"""

from pathlib import Path

from benchmarks._grid import Grid


class Size(Grid):
    unit = "bytes"

    def prepare(self, cell):
        self.path = str(cell.artifact)

    def track_size(self, pipeline, backend):
        return Path(self.path).stat().st_size
