"""asv's door to persistbench; named in asv.conf.json, so asv imports it at every command.

asv writes its result file once, when everything has been measured, and in place. So Ctrl-C in the
last minute loses the whole run, and a full disk also loses the run before. asv offers no hook here,
so its Results class is replaced in `asv run`. asv may be installed elsewhere than the suite: beside
asv only msgspec is imported here, by which records are read.
"""

import ast
import atexit
import functools
import itertools
import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asv.commands.run
import asv.runner
from asv.commands.run import Run
from asv.console import log
from asv.environment import Environment
from asv.machine import Machine
from asv.results import Results, get_filename
from asv.util import ProcessError, UserError

from persistbench import errors
from persistbench.records import outcome, pairs, questions
from persistbench.records import run as runs
from persistbench.suite import cost, endings, printing, versions, watching
from persistbench.suite.rounds import Benchmark, Names, Progress, unexplained


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off until the block is done."""
    pending: list[Any] = []
    handler = signal.signal(signal.SIGINT, lambda *received: pending.append(received))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if pending and callable(handler):
            handler(*pending[0])


_SAVING = ".saving-"


class SafeResults(Results):
    """Results that are on disk as soon as a round of a benchmark is over, and never half written.

    Attributes:
        loaded: whether asv has loaded what was there before, which it does if it is going to save.
        asked: the indices of the cells that were asked, by benchmark.
        progress: how far the run is.
        measuring: the run; None if asv was told not to save.
    """

    loaded = False
    measuring: runs.Run | None = None  # asv was told not to save

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take what asv's class takes."""
        super().__init__(*arguments, **options)
        self.asked: dict[str, set[int]] = {}
        self.progress = Progress({})
        self._now: dict[str, set[int]] = {}

    def load_data(self, result_dir: str) -> None:
        """Called by `asv run` before it measures, and only if it is going to save."""
        super().load_data(result_dir)
        for left in Path(result_dir).glob(f"{_SAVING}*"):  # of a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        file = self._path(result_dir).resolve()
        self.loaded = True
        self._folder = result_dir
        self._pairs_path = file.with_suffix(".pairs.jsonl")
        # Benchmark processes inherit the variable. They append their outcomes beside these
        # results, and leave their paired calls in the folder, where add_result gathers them.
        _, usual = _usual()
        folder = runs.begin(file.with_suffix(".outcomes.jsonl"), versions.KNOWN["asv"], usual)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ[runs.VARIABLE] = str(folder)
        # Where it is set, each process compiles the libraries anew: nobody's programs do.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.measuring = run = runs.current()
        if run is not None:
            stored = pairs.read(self._pairs_path)[0]
            watched: dict[str, Any] = {"over": lambda: run.over, "waiting": run.waiting}
            self.progress = Progress(stored, open_keys=_open_keys, **watched)

    def begin(self, benchmarks: Iterable[Any], resumes: bool) -> None:
        """Take note of what has a figure, before anything is asked.

        Args:
            benchmarks: asv's descriptions.
            resumes: whether what has a figure is not asked again.
        """
        self.progress.resumes = resumes
        self.progress.known = {
            one["name"]: {
                index
                for index, value in enumerate(self.get_result_value(one["name"], one["params"]))
                if value is not None and not math.isnan(value)
            }
            for one in benchmarks
            if self.benchmark_version.get(one["name"]) == one["version"]
        }

    def ask(self, benchmark: Any, chosen: Collection[int] | None) -> set[int]:
        """Begin a round of a benchmark; return the indices of the cells that are asked in it.

        Args:
            benchmark: asv's description of it.
            chosen: the indices of the cells that the reader wants; None for all.
        """
        own = _described(benchmark)
        wanted = range(len(own.cells)) if chosen is None else chosen
        result = self.progress.ask(own, wanted)
        self._now[own.name] = result
        self.asked.setdefault(own.name, set()).update(result)
        if self.measuring is not None:
            self.measuring.ask(own.question, [own.cells[index] for index in sorted(result)])
        return result

    def add_result(self, benchmark: Any, result: Any, **kwargs: Any) -> None:
        """Called after every round of a benchmark."""
        own = _described(benchmark)
        if own.name not in self._now:  # asv could not even start
            self.ask(benchmark, kwargs.get("selected_idx"))
        asked = self._now.pop(own.name)
        if not asked:
            return
        append = bool(kwargs.get("append_samples"))
        failed, out = self.progress.add(own, asked, result.result)
        # asv lets the last round decide; a cell that failed in any round has failed.
        if self.progress.failed.get(own.name) and result.errcode == 0:
            result = result._replace(errcode=1)
        if self.measuring is not None:
            # Samples are kept, as evidence and so that later looks can be added to them.
            kwargs["record_samples"] = True
            kwargs["append_samples"] = append or self.progress.resumes or own.first_calls
        super().add_result(benchmark, result, **{**kwargs, "selected_idx": asked - out})
        if self.measuring is None:
            return
        if failed:
            silent = {own.cells[index]: index for index in failed}
            self._record_silent(own.name, own.question, silent)
        self.progress.keep(own, pairs.gather(self.measuring.folder, own.version), append)
        with _uninterrupted():
            self.save(self._folder)

    def save(self, result_dir: str) -> None:
        """Replace the file of this run, and that of its paired calls."""
        path = self._path(result_dir)
        try:
            with tempfile.TemporaryDirectory(dir=result_dir, prefix=_SAVING) as folder:
                super().save(folder)
                self._path(folder).replace(path)
            if self.measuring is not None and self.progress.new:
                pairs.write(self._pairs_path, self.progress.stored.values())
        except OSError as error:
            raise UserError(
                f"The results cannot be saved in {result_dir} ({error.strerror}): "
                "what was there before is unchanged."
            ) from error

    def _record_silent(self, name: str, question: str, failed: dict[Names, int]) -> None:
        """Write the record of cells whose process died without a word, or hung."""
        if self.measuring is None:
            return
        records, _ = outcome.read(self.measuring.outcomes)
        for pipeline, backend in unexplained(failed, records, question, self.measuring.began):
            how = questions.access(question)
            what, reason = endings.of_cell(name, failed[pipeline, backend])
            record = outcome.Record(
                cell=f"{pipeline}/{backend}/{how}/{question}",
                pipeline=pipeline,
                backend=backend,
                access=how,
                question=question,
                status="failed",
                outcome=what,
                reason=reason,
                date=datetime.now(UTC).isoformat(timespec="seconds"),
                environment=self.env_name,
                run=self.measuring.began,
            )
            outcome.append(self.measuring, record)

    def _path(self, result_dir: str) -> Path:
        """Return the path of the result file within a folder of results."""
        name = get_filename(self.params["machine"], self.commit_hash, self.env_name)
        return Path(result_dir, name)


def _described(benchmark: Any) -> Benchmark:
    """Return what the rounds know of a benchmark."""
    names = itertools.product(*benchmark["params"])
    cells = [(ast.literal_eval(pipeline), ast.literal_eval(backend)) for pipeline, backend in names]
    rounds = benchmark.get(_OWN_ROUNDS, benchmark.get("rounds", 1))
    return Benchmark(benchmark["name"], benchmark["version"], int(rounds), cells)


_OWN_ROUNDS = "persistbench_rounds"
"""Where a benchmark's description keeps its rounds, in place of those that asv counts."""


def _open_keys(stored: Mapping[pairs.Key, pairs.Pairs]) -> set[pairs.Key]:
    """Return the cells that another look could decide; all where scipy is not beside asv."""
    try:
        from persistbench.records import looks
    except ModuleNotFoundError:
        return set(stored)  # the benchmark's processes know better, and sit out
    return looks.open_keys(stored)


def _needed(stored: Mapping[pairs.Key, pairs.Pairs], keys: Iterable[pairs.Key]) -> int:
    """Return how many processes of each cell would decide half; 0 where scipy is not beside asv."""
    try:
        from persistbench.records import looks
    except ModuleNotFoundError:
        return 0
    return looks.needed(stored, keys)


asv_run_benchmark = asv.runner.run_benchmark


def _run_benchmarks(benchmarks: Any, env: Any, results: Results, **options: Any) -> Any:
    """Measure as asv does, in rounds of which the first asks every question."""
    global _session
    if not isinstance(results, SafeResults):
        return printing.run_benchmarks(benchmarks, env, results=results, **options)
    quick = bool(options.get("quick"))
    results.begin(benchmarks.values(), not (quick or options.get("append_samples")))
    # asv begins with the benchmark that has most rounds, and asks the others in its last round.
    most = max((int(one.get("rounds", 1)) for one in benchmarks.values()), default=1)
    for one in benchmarks.values():
        one.setdefault(_OWN_ROUNDS, int(one.get("rounds", 1)))
        one["rounds"] = most
    _session = Session(results, benchmarks)
    try:
        with _session.shown():
            return printing.run_benchmarks(benchmarks, env, results=results, **options)
    finally:
        _session = None


class Session:
    """The run that is going on."""

    def __init__(self, results: SafeResults, benchmarks: Any) -> None:
        """Take what it fills, and asv's benchmarks."""
        self._results = results
        chosen = benchmarks.benchmark_selection
        self._cells = sum(
            len(_described(one).cells if chosen.get(name) is None else chosen[name])
            for name, one in benchmarks.items()
        )
        self._watch: watching.Watch | None = None
        self._second = 0.0  # when the second round began

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show rounds in place of asv's lines, and write the page after each, if announced so."""
        run = self._results.measuring
        if run is None or not run.page:
            yield
            return
        self._watch = watch = watching.Watch(run)
        endings.after = watch.cell
        begun = time.monotonic()
        print(flush=True)
        try:
            with _silent():
                yield
        finally:
            endings.after = None
            watch.close()
            for line in self._ending(run, begun):
                print(line, flush=True)

    def _ending(self, run: runs.Run, begun: float) -> Iterator[str]:
        """Yield what the run has cost, and what it has left open."""
        now = time.monotonic()
        yield from cost.lines(*run.spent(), now - begun)
        yield from cost.late((self._second or now) - begun, (run.until - begun) / 60)
        stored = self._results.progress.stored_first_calls()
        left = {key for key in _open_keys(stored) if stored[key].ratios}
        ratios = sum(1 for one in stored.values() if one.ratios)
        yield from cost.undecided(len(left), ratios, _needed(stored, left))

    def ask(self, benchmark: Any, chosen: Collection[int] | None) -> set[int]:
        """Return the indices of the cells that are asked in this round of a benchmark."""
        progress = self._results.progress
        if progress.called.get(benchmark["name"], 0) == progress.round:
            self._new_round(progress)
        return self._results.ask(benchmark, chosen)

    def _new_round(self, progress: Progress) -> None:
        number, run, watch = progress.round + 1, self._results.measuring, self._watch
        if run is None or (number > 1 and progress.over()):
            return
        run.begin_round(number)
        if watch is None:
            return
        if number == 2:
            self._second = time.monotonic()
        if number > 1:
            watch.publishing()
            _publish()
        measured = progress.stored_first_calls()
        left = progress.wanted(number)
        decided = f"{len(measured) - len(left)} of {len(measured)} decided" if measured else ""
        if number == 1 or left:
            watch.round(number, self._cells if number == 1 else len(left), decided)


@contextmanager
def _silent() -> Iterator[None]:
    """Let asv print its warnings and errors alone."""
    told = log.add, log.add_padded
    log.add = log.add_padded = lambda *_: None
    try:
        with log.set_level(logging.WARNING):
            yield
    finally:
        log.add, log.add_padded = told


def _publish() -> None:
    """Write the page from what is on disk; a failure is the last `asv publish`'s to tell."""
    command = [sys.executable, "-m", "asv", "publish"]
    environ = {name: value for name, value in os.environ.items() if name != runs.VARIABLE}
    subprocess.run(  # noqa: S603 (our own command)
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )


_session: Session | None = None
"""The run that is going on."""


def _run_benchmark(benchmark: Any, spawner: Any, *arguments: Any, **options: Any) -> Any:
    """Start processes for the cells that are asked in this round, and for no other."""
    if _session is None:
        return asv_run_benchmark(benchmark, spawner, *arguments, **options)
    asked = _session.ask(benchmark, options.get("selected_idx"))
    return asv_run_benchmark(benchmark, spawner, *arguments, **{**options, "selected_idx": asked})


def setup() -> None:
    """Called by asv when it has imported this plugin.

    Raises:
        UserError: this is not the asv that the suite knows.
    """
    try:
        versions.require("asv")
    except errors.UserError as error:
        raise UserError(str(error)) from error
    asv.commands.run.Results = SafeResults
    endings.replace()
    printing.replace()
    asv.commands.run.run_benchmarks = _run_benchmarks
    Run.run_from_conf_args = classmethod(_run_usual)
    asv.runner.run_benchmark = _run_benchmark
    Machine.save = _save_machine
    Environment.create = _create_environment


_asv_run: Any = Run.run_from_conf_args.__func__


def _run_usual(cls: Any, /, conf: Any, args: Any, **options: Any) -> Any:
    """Ask what `persistbench bench` asks, where the reader has chosen no benchmarks."""
    expression, _ = _usual()
    if expression and not args.bench:
        args.bench = [expression]
    return _asv_run(cls, conf, args, **options)


@functools.cache
def _usual() -> tuple[str, runs.Announced]:
    """Return the usual benchmarks as an expression, and what a run of them does.

    Where the suite cannot be imported beside asv, all benchmarks are asked.
    """
    until = time.monotonic() + 60 * runs.MINUTES
    try:
        from persistbench.suite import selection

        expression, cells = selection.usual(os.environ.get(selection.VARIABLE, "").split())
    except (ModuleNotFoundError, errors.UserError):
        return "", runs.Announced(until=until)
    return expression, runs.Announced(cells, until)


_asv_save_machine = Machine.save
_asv_create = Environment.create


def _save_machine(machine: Machine, results_dir: str) -> None:
    """Say in a sentence what asv shows as a traceback: the first thing `asv run` writes."""
    try:
        _asv_save_machine(machine, results_dir)
    except OSError as error:
        raise UserError(
            f"The results folder {results_dir} cannot be written to ({error.strerror}): "
            "give yourself the right to, or make room."
        ) from error


def _create_environment(environment: Environment) -> None:
    """Say in a sentence what asv shows as a traceback, such as that there is no network."""
    try:
        _asv_create(environment)
    except ProcessError as error:
        raise UserError(
            "The environment cannot be made, and the lines above say why: libraries that are not "
            "on this machine yet are fetched from the network."
        ) from error
