"""How long does loading take, with the file in the page cache?"""

from benchmarks._grid import Grid


class Load(Grid):
    def time_load(self, pipeline, backend):
        self.loaded = self.backend.load(self.path)
