"""How long does the first load of a process take, with the file in the page cache?"""

from benchmarks._first import FirstCall


class Load(FirstCall):
    def time_load(self, pipeline, backend):
        self.spend()
