"""The grid that all questions share: every pipeline by every backend."""

import contextlib
import gc
import importlib
import sys
import time
from pathlib import Path

from persistbench import backends, catalogue, records, store
from persistbench.cells import Cell
from persistbench.errors import UnsupportedError, UserError
from persistbench.outcomes import Outcome, Verdict, of_exception

try:
    PIPELINES = list(catalogue.discover())
    BACKENDS = list(backends.discover())
except UserError as error:
    sys.exit(f"persistbench: {error}")


def _preload():
    """Import what the cells need: asv's fork server does so once for all of them."""
    catalogue.preload()
    store.environment()
    for module in {name for backend in backends.discover().values() for name in backend.modules}:
        with contextlib.suppress(Exception):  # its cells say "not-installed"
            importlib.import_module(module)
    # A full collection in a forked process copies every page of what was imported before the
    # fork: 80 ms at one call in ten, which no user pays. So the collector leaves these objects
    # alone; whatever a call or a pipeline allocates is collected as in any process. (A user's
    # collection walks through imported modules, too: about 40 ms now and then, not charged here.)
    gc.collect()
    gc.freeze()


_preload()


class CellFailedError(Exception):
    """The cell has no figure because it failed; asv then exits with 2."""


def timer():
    """Return the wall time in seconds, with the garbage collector on.

    timeit, under asv, switches the collector off; production has it on. The last thing
    that timeit does before the timed call is to ask its timer.
    """
    gc.enable()
    return time.perf_counter()


class Grid:
    """Base of all questions: finds the verdict of its cell, and measures only if it is right.

    A question is a subclass with one ``time_`` or ``track_`` method.
    """

    params = (PIPELINES, BACKENDS)
    param_names = ("pipeline", "backend")
    # With a version given, asv hashes nothing: raise it whenever what is timed changes, in a
    # question's own method or elsewhere (this file, backends/_base.py).
    version = "1"
    timeout = 1800
    # Three processes; in each one warm-up call at least, then up to 30 calls in 0.2 s.
    # A call slower than that is not warmed up: its first call is its only sample.
    rounds = 3
    repeat = (1, 30, 0.2)
    warmup_time = 0.02
    min_run_count = 1  # asv's default of 2 makes every slow call twice and drops the first
    timer = staticmethod(timer)

    mapped = False
    stage = Outcome.ERROR_AT_LOAD  # what it is called if the timed call itself fails

    cell = None
    loaded = used = None

    def setup(self, pipeline, backend):
        """Called by asv before every single call: only the first one does any work."""
        # What the last call returned is freed here, outside the timed call.
        self.loaded = self.used = None
        if self.cell is not None:
            return
        cell = Cell(catalogue.get(pipeline), backends.get(backend), mapped=self.mapped)
        verdict = cell.examine()
        records.keep(cell, verdict)
        self.admit(cell, verdict)
        self.backend = cell.backend
        try:
            self.prepare(cell)
        except UnsupportedError as error:
            refusal = Verdict(Outcome.UNSUPPORTED, str(error))
            records.keep(cell, refusal, self.question)
            raise NotImplementedError(refusal.reason) from error
        except Exception as error:
            records.keep(cell, of_exception(self.stage, error), self.question)
            raise
        records.withdraw(cell, self.question)
        self.cell = cell

    def teardown(self, pipeline, backend):
        """Called by asv after every call; it keeps no error text, so the reason is kept here."""
        error = sys.exc_info()[1]
        if error is not None and self.cell is not None:
            records.keep(self.cell, of_exception(self.stage, error), self.question)

    def admit(self, cell, verdict):
        """Refuse a cell without a right answer: wrong answer, no number."""
        if verdict.same:
            return
        text = f"{cell.pipeline.name}, {cell.backend.id}: {verdict.outcome}: {verdict.reason}"
        if verdict.refused:
            raise NotImplementedError(text)  # n/a for asv
        raise CellFailedError(text)

    def prepare(self, cell):
        """Make everything that the timed call needs; once in a process.

        Raises UnsupportedError where this question has no answer for a right cell.
        """
        # As str: turning a Path into one would be timed. Read once: the page cache is warm.
        self.path = str(cell.artifact)
        Path(self.path).read_bytes()

    @property
    def question(self):
        """The name of the question: that of the method without ``time_`` or ``track_``."""
        method = next(name for name in dir(type(self)) if name.startswith(("time_", "track_")))
        return method.split("_", 1)[1]
