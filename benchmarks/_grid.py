"""The grid that all questions share: every pipeline by every backend."""

import json
import sys
import time
from pathlib import Path

from persistbench import backends, files, sandbox
from persistbench.cases import catalogue
from persistbench.cells import claims, in_advance
from persistbench.cells.cell import Cell
from persistbench.errors import UnsupportedError, UserError
from persistbench.measure import actions, paired, process
from persistbench.outcomes import Outcome, Verdict, of_exception
from persistbench.records import outcome, run
from persistbench.suite import versions
from persistbench.suite.loop import Loop

try:
    if "asv_runner" in sys.modules:  # asv's own processes; no other has its loop
        versions.require("asv_runner")
    PIPELINES = list(catalogue.discover())
    BACKENDS = list(backends.discover())
    MAPPING = [name for name in BACKENDS if backends.get(name).claims.memory_maps]
except UserError as error:
    sys.exit(f"persistbench: {error}")


process.import_everything()
sandbox.fork_from_here()  # asv forks every process from one that has only imported


class CellFailedError(Exception):
    """The cell has no figure because it failed; asv then exits with 2."""


def once_in_a_run(name, make):
    """Return the result that another process of this run has kept, or make and keep it.

    Questions that one measurement answers share its result.
    """
    own = run.current()
    path = Path(own.folder if own else ".", f"{files.digest(name)}.json")
    if own and path.is_file():
        return json.loads(path.read_text())
    result = make()
    with files.replacing(path) as temporary:
        temporary.write_text(json.dumps(result))
    return result


class Grid:
    """Base of all questions: finds the verdict of its cell, and measures only if it is right.

    A question is a subclass with one ``time_`` or ``track_`` method.
    """

    params = (PIPELINES, BACKENDS)
    param_names = ("pipeline", "backend")
    # With a version given, asv hashes nothing: raise it whenever what is timed changes, in a
    # question's own method or elsewhere (this file, backends/_base.py).
    version = "5"
    timeout = 1800
    # Two processes; in each one warm-up call at least, then up to 30 calls in 0.15 s, the
    # references included. A call slower than that is not warmed up: its first call is its
    # only sample.
    number = 1
    rounds = 2
    repeat = (1, paired.CALLS, paired.SECONDS)
    warmup_time = paired.WARM_UP_SECONDS
    min_run_count = 1  # asv's default of 2 makes every slow call twice and drops the first

    mapped = False
    fault = None  # whose fault it is if a right cell has no answer; None: what is usual
    cell = None
    clock = 0.0  # in seconds; only samples move it

    def setup(self, pipeline, backend):
        """Called by asv before every single call: only the first one makes anything."""
        if self.cell is None:
            self.examine(pipeline, backend)

    def examine(self, pipeline, backend):
        """Find out whether the cell is right, and make it ready; once in a process."""
        if paired.sits_out((self.question, pipeline, backend)):
            raise NotImplementedError("its figure is that of an earlier round of this run")
        once_in_a_run("in advance", in_advance.examine)
        cell = Cell(catalogue.get(pipeline), backends.get(backend), mapped=self.mapped)
        verdict = cell.examine()
        claims.keep(cell)
        outcome.keep(cell, verdict)
        self.admit(cell, verdict)
        try:
            self.backend = cell.backend
            self.backend.import_modules()
            self.prepare(cell)
        except UnsupportedError as error:
            refusal = Verdict(Outcome.UNSUPPORTED, str(error), fault=self.fault)
            outcome.keep(cell, refusal, self.question)
            raise NotImplementedError(refusal.reason) from error
        except Exception as error:
            outcome.keep(cell, self.verdict(error), self.question)
            raise
        outcome.withdraw(cell, self.question)
        self.cell = cell

    def timer(self):
        """Return the clock: asv asks before and after what it takes for the timed call."""
        return self.clock

    def teardown(self, pipeline, backend):
        """Called by asv after every call; it keeps no error text, so the reason is kept here."""
        error = sys.exc_info()[1]
        if error is not None and self.cell is not None:
            outcome.keep(self.cell, self.verdict(error), self.question)

    def verdict(self, error):
        """Return what it is called if the call itself fails with this error, and why."""
        return of_exception(self.stage(error), error)

    def stage(self, error):
        """Return what it is called if the call itself fails with this error."""
        return Outcome.ERROR_AT_LOAD

    def admit(self, cell, verdict):
        """Refuse a cell without a right answer: wrong answer, no number."""
        if verdict.same:
            return
        text = f"{cell.pipeline.name}, {cell.backend.id}: {verdict.outcome}: {verdict.reason}"
        if verdict.refused:
            raise NotImplementedError(text)  # n/a for asv
        raise CellFailedError(text)

    def prepare(self, cell):
        """Make everything that the call needs; once in a process.

        Raises UnsupportedError where this question has no answer for a right cell.
        """

    @property
    def question(self):
        """The name of the question: that of the method without ``time_`` or ``track_``."""
        return self.method.split("_", 1)[1]

    @property
    def method(self):
        """The name of the question's method."""
        return next(name for name in dir(type(self)) if name.startswith(("time_", "track_")))


class Timed(Grid):
    """Base of questions whose answer is the time of an action of `persistbench.measure.actions`.

    Its method makes one row of the measuring loop. The clock that asv reads moves by the wall
    time of the call alone, so asv decides how often is called, and nothing else.
    """

    action = None
    ranks = False  # what rankings are made of is called more often where that is needed
    row = None

    @property
    def mapped(self):
        """Whether the artifact is memory-mapped."""
        return self.action.mapped

    def stage(self, error):
        """Return what a failure of the call is called."""
        return actions.stage_of(error, self.action)

    def prepare(self, cell):
        """Make the first row: it is the warm-up, and tells how often a process is to call."""
        key = (self.question, cell.pipeline.name, cell.backend.id)
        self.calls = actions.pair(cell, self.action)
        self.calls.record = paired.Recorder(key, self.calls.names).add
        start = time.perf_counter()
        self.row = self.calls.row()
        took = time.perf_counter() - start
        self.warmup_time, self.repeat = Loop(self.warmup_time, self.repeat).after(took)
        if self.ranks:
            self.min_run_count = 1 + paired.pace(self.row.wall).calls  # asv reads it after setup

    def sample(self):
        """Move the clock by one call; the first time by the one that was made ahead of asv."""
        row, self.row = self.row or self.calls.row(), None
        self.clock += row.wall
