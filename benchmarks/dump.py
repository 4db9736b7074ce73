"""How long does the first dump of a process take? To the page cache: no fsync is added."""

from benchmarks._first import FirstCall


class Dump(FirstCall):
    dumps = True

    def time_dump(self, pipeline, backend):
        self.spend()
