"""The grid that all questions share: every pipeline by every backend."""

import contextlib
import ctypes
import functools
import gc
import json
import math
import shutil
import sys
import time
from functools import partial
from pathlib import Path

from persistbench import backends, cache, files, sandbox
from persistbench.cases import catalogue
from persistbench.cells import in_advance
from persistbench.cells.cell import Cell
from persistbench.errors import UnsupportedError, UserError
from persistbench.measure import paired
from persistbench.outcomes import Outcome, Verdict, of_exception
from persistbench.records import outcome, run
from persistbench.suite import versions

try:
    if "asv_runner" in sys.modules:  # asv's own processes; no other has its loop
        versions.require("asv_runner")
    PIPELINES = list(catalogue.discover())
    BACKENDS = list(backends.discover())
    MAPPING = [name for name in BACKENDS if backends.get(name).claims.memory_maps]
except UserError as error:
    sys.exit(f"persistbench: {error}")


def _preload():
    """Import what the cells need: asv's fork server does so once for all of them."""
    catalogue.preload()
    cache.environment()
    for backend in backends.discover().values():
        with contextlib.suppress(Exception):  # its cells say "not-installed"
            backend.import_modules(shared=True)
    # A full collection in a forked process copies every page of what was imported before the
    # fork: 80 ms at one call in ten, which no user pays. So the collector leaves these objects
    # alone; whatever a call or a pipeline allocates is collected as in any process. (A user's
    # collection walks through imported modules, too: about 40 ms now and then, not charged here.)
    gc.collect()
    gc.freeze()


def _keep_heap():
    """Let the allocator of this process keep what is freed: timed calls find touched memory.

    glibc gives freed memory back or not, depending on what was freed before. Of two calls in
    turn one may find its pages there and the other ask the kernel for 10,000 new ones: the
    same load of 20 MB took 10 ms or 25, by what else the process had done.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_M_TRIM_THRESHOLD, -1)
        mallopt(_M_MMAP_MAX, 0)


_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h

_preload()
sandbox.fork_from_here()  # asv forks every process from one that has only imported


class CellFailedError(Exception):
    """The cell has no figure because it failed; asv then exits with 2."""


def in_turn(question):
    """Return the references of a question that every backend answers."""
    return tuple((name, question, name) for name in (backends.REFERENCE, backends.FLOOR))


def once_in_a_run(name, make):
    """Return what another process of this run has found out, or find it out.

    Questions that are answered by one measurement share it so.
    """
    own = run.current()
    path = Path(own.folder if own else ".", f"{files.digest(name)}.json")
    if own and path.is_file():
        return json.loads(path.read_text())
    result = make()
    with files.replacing(path) as temporary:
        temporary.write_text(json.dumps(result))
    return result


@functools.cache
def _just_written(artifact):
    """Return a copy in asv's working directory, which is new, and in the TMPDIR of all artifacts.

    A file that was written at once is read up to 1.4 times as fast as one that came into the page
    cache from the disk in pieces, and the system drops what nobody has read for minutes.
    """
    copy = Path(Path(artifact).name).absolute()
    with open(artifact, "rb") as whole, copy.open("wb") as written:
        shutil.copyfileobj(whole, written, _PIECE)
    return str(copy)


_PIECE = 2**22  # of a copy, in bytes: smaller ones leave smaller pieces in the page cache


class _Enough:
    """The least number of calls, which asv compares with those made; by how long these took."""

    def __init__(self, question):
        self.question = question

    def __gt__(self, made):
        return made < 1 + paired.pace(self.question.quickest).calls


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
    warmup_time = 0.02
    min_run_count = 1  # asv's default of 2 makes every slow call twice and drops the first

    ranks = False  # what rankings are made of is called more often where that is needed
    keeps_heap = False  # see _keep_heap: for questions about one dump or load
    warming = 3  # so often each reference is called before anything counts
    mapped = False
    stage = Outcome.ERROR_AT_LOAD  # what it is called if the timed call itself fails

    cell = None
    loaded = used = None
    started = None
    row = 0
    quickest = math.inf  # of the timed calls of this process, in seconds
    later = ()
    timed = None
    twins = ()

    def setup(self, pipeline, backend):
        """Called by asv before every single call: only the first one makes anything."""
        if self.cell is None:
            self.examine(pipeline, backend)
        # The references are called in turn with what is timed: what the machine does to
        # both cancels in their ratio.
        order = paired.order(self.row, len(self.twins) + 1)
        own = order.index(len(self.twins))
        self.turns, self.later = {}, order[own + 1 :]
        self.call_twins(order[:own])
        self.before()

    def examine(self, pipeline, backend):
        """Find out whether the cell is right, and make it ready; once in a process."""
        if paired.sits_out((self.question, pipeline, backend)):
            raise NotImplementedError("its figure is that of an earlier round of this run")
        once_in_a_run("in advance", in_advance.examine)
        cell = Cell(catalogue.get(pipeline), backends.get(backend), mapped=self.mapped)
        verdict = cell.examine()
        outcome.keep(cell, verdict)
        self.admit(cell, verdict)
        twins = self.make_twins(cell)
        if self.keeps_heap:
            _keep_heap()
        try:
            self.take(cell)
            for twin, other in twins:
                twin.take(other)
                twin.warm_up()
        except UnsupportedError as error:
            refusal = Verdict(Outcome.UNSUPPORTED, str(error))
            outcome.keep(cell, refusal, self.question)
            raise NotImplementedError(refusal.reason) from error
        except Exception as error:
            outcome.keep(cell, of_exception(self.stage, error), self.question)
            raise
        outcome.withdraw(cell, self.question)
        self.cell = cell
        self.twins = [twin for twin, _ in twins]
        key = (self.question, pipeline, backend)
        if self.ranks:
            self.min_run_count = _Enough(self)  # asv looks when setup is done
        self.recorder = paired.Recorder(key, [twin.name for twin in self.twins])

    def take(self, cell):
        """Become the one that measures this cell."""
        self.backend = cell.backend
        self.backend.import_modules()
        self.prepare(cell)
        method = getattr(self, self.method)
        self.call = partial(method, cell.pipeline.name, cell.backend.id)

    def make_twins(self, cell):
        """Return what is called in turn with the timed call, each with its cell.

        The cells are examined now, while this process has not yet computed anything.
        """
        twins = []
        for name, question, backend_id in self.references(cell):
            other = Cell(cell.pipeline, backends.get(backend_id), mapped=question.mapped)
            if other.examine().same:
                twin = question()
                twin.name = name
                twins.append((twin, other))
        return twins

    def references(self, cell):
        """Return the name, the question's class and the backend of each reference."""
        return ()

    def turn(self):
        """Make one call and return its wall time in seconds."""
        self.before()
        self.timer()
        self.call()
        self.timer()
        (wall, _), self.timed = self.timed, None
        self.reset()
        return wall

    def warm_up(self):
        """Touch memory: the first call of a process can take half as long again as the third."""
        for _ in range(self.warming):
            self.turn()

    def call_twins(self, order):
        """Call these references, and keep their wall times in seconds."""
        for index in order:
            self.turns[index] = self.twins[index].turn()

    def before(self):
        """Do what belongs right before a call, outside the clock."""

    def reset(self):
        """Undo what the last call left: it is freed here, outside the timed call."""
        self.loaded = self.used = None

    def timer(self):
        """Return the wall time in seconds; timeit asks before and after the timed call.

        timeit, under asv, switches the garbage collector off; production has it on.
        """
        if self.started is None:
            gc.enable()
            self.started_cpu = time.process_time()
            self.started = time.perf_counter()
            return self.started
        ended = time.perf_counter()
        self.timed = ended - self.started, time.process_time() - self.started_cpu
        self.quickest = min(self.quickest, self.timed[0])
        self.started = None
        return ended

    def teardown(self, pipeline, backend):
        """Called by asv after every call; it keeps no error text, so the reason is kept here."""
        self.reset()
        error = sys.exc_info()[1]
        if error is not None and self.cell is not None:
            outcome.keep(self.cell, of_exception(self.stage, error), self.question)
        if self.timed is not None:
            self.call_twins(self.later)
            walls = [self.turns[index] for index in range(len(self.twins))]
            self.recorder.add(*self.timed, walls)
            self.timed = None
            self.row += 1

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
        # As str: turning a Path into one would be timed.
        self.path = _just_written(str(cell.artifact))

    @property
    def question(self):
        """The name of the question: that of the method without ``time_`` or ``track_``."""
        return self.method.split("_", 1)[1]

    @property
    def method(self):
        """The name of the question's method."""
        return next(name for name in dir(type(self)) if name.startswith(("time_", "track_")))
