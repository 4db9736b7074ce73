"""asv's door to persistbench; named in asv.conf.json, so asv imports it at every command.

asv writes its result file once, when everything has been measured, and in place. So Ctrl-C in the
last minute loses the whole run, and a full disk also loses the run before. asv offers no hook here,
so its Results class is replaced in `asv run`. asv may be installed elsewhere than the suite: beside
asv only msgspec is imported here, by which records are read.
"""

import ast
import atexit
import itertools
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asv.commands.run
from asv.environment import Environment
from asv.machine import Machine
from asv.results import Results, get_filename
from asv.util import ProcessError, UserError

from persistbench import errors
from persistbench.measure import paired
from persistbench.records import outcome, pairs, questions
from persistbench.records import run as runs
from persistbench.suite import endings, printing, versions
from persistbench.suite.rounds import GatheredPairs, Names, Progress, sat_out, unexplained, whole


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


class SafeResults(Results):
    """Results that are on disk as soon as a benchmark is finished, and never half written.

    Attributes:
        loaded: whether asv has loaded what was there before, which it does if it is going to save.
        asked: the indices of the cells that were asked, by benchmark.
    """

    loaded = False
    _run: runs.Run | None = None  # asv was told not to save
    _unfinished: frozenset[str] = frozenset()  # what a save between two rounds leaves as it was

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take what asv's class takes."""
        super().__init__(*arguments, **options)
        self.asked: dict[str, set[int]] = {}

    def load_data(self, result_dir: str) -> None:
        """Called by `asv run` before it measures, and only if it is going to save."""
        super().load_data(result_dir)
        file = self._path(result_dir).resolve()
        self.loaded = True
        self._folder = result_dir
        self._old = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        self._progress = Progress()
        self._pairs_path = file.with_suffix(".pairs.jsonl")
        self._pairs = GatheredPairs(pairs.read(self._pairs_path)[0])
        # Benchmark processes inherit the variable. They append their outcomes beside these
        # results, and leave their paired calls in the folder, where add_result gathers them.
        folder = runs.begin(file.with_suffix(".outcomes.jsonl"), versions.KNOWN["asv"])
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ[runs.VARIABLE] = str(folder)
        self._run = runs.current()

    def add_result(self, benchmark: Any, result: Any, **kwargs: Any) -> None:
        """Called after every round of a benchmark."""
        name, question = benchmark["name"], questions.question(benchmark["name"])
        cells = _cells(benchmark)
        chosen = set(kwargs.get("selected_idx") or range(len(cells)))
        self.asked.setdefault(name, set()).update(chosen)
        if self._run is None:
            super().add_result(benchmark, result, **kwargs)
            return
        # asv lets the last round decide; a cell that failed in any round has failed.
        rounds = int(benchmark.get("rounds", 1))
        # Where nothing could be started asv calls all cells failed, also those it was not asked.
        failed = self._progress.finish_round(name, rounds, result.result) & chosen
        for index in failed:
            result.result[index] = None
        if failed and result.errcode == 0:
            result = result._replace(errcode=1)
        out = sat_out(question, cells, result.result, paired.done(self._run.folder))
        if out:  # they keep what they have
            kwargs["selected_idx"] = chosen - out
        # Samples are kept, as evidence and so that a quick run can be added to them.
        super().add_result(benchmark, result, **{**kwargs, "record_samples": True})
        if failed:
            self._record_silent(name, question, {cells[index]: index for index in failed})
        gathered = pairs.gather(self._run.folder, benchmark["version"])
        self._pairs.add(name, gathered, bool(kwargs.get("append_samples")))
        with _uninterrupted(), self._between_rounds():
            self.save(self._folder)

    def save(self, result_dir: str) -> None:
        """Replace the file of this run, and that of its paired calls."""
        path = self._path(result_dir)
        try:
            with tempfile.TemporaryDirectory(dir=result_dir, prefix=".saving-") as folder:
                super().save(folder)
                new = self._path(folder)
                if self._unfinished:
                    content = json.loads(new.read_text("utf-8"))
                    content = whole(content, self._old, self._unfinished)
                    new.write_text(json.dumps(content), encoding="utf-8")
                new.replace(path)
            if self._run is not None:
                self._save_pairs()
        except OSError as error:
            raise UserError(
                f"The results cannot be saved in {result_dir} ({error.strerror}): "
                "what was there before is unchanged."
            ) from error

    def _save_pairs(self) -> None:
        content = self._pairs.finished(self._unfinished)
        if content != self._pairs.stored:
            pairs.write(self._pairs_path, content.values())
        self._pairs.written(self._unfinished)

    @contextmanager
    def _between_rounds(self) -> Iterator[None]:
        """Let a save show what was there before this run, until all rounds of a benchmark are done.

        asv saves once more when all is done, as far as it was asked to.
        """
        self._unfinished = frozenset(self._progress.unfinished)
        try:
            yield
        finally:
            self._unfinished = frozenset()

    def _record_silent(self, name: str, question: str, failed: dict[Names, int]) -> None:
        """Write the record of cells whose process died without a word, or hung."""
        if self._run is None:
            return
        records, _ = outcome.read(self._run.outcomes)
        for pipeline, backend in unexplained(failed, records, question, self._run.began):
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
                run=self._run.began,
            )
            outcome.append(self._run, record)

    def _path(self, result_dir: str) -> Path:
        """Return the path of the result file within a folder of results."""
        name = get_filename(self.params["machine"], self.commit_hash, self.env_name)
        return Path(result_dir, name)


def _cells(benchmark: Any) -> list[Names]:
    """Return pipeline and backend of each cell of a benchmark, in asv's order."""
    names = itertools.product(*benchmark["params"])
    return [(ast.literal_eval(pipeline), ast.literal_eval(backend)) for pipeline, backend in names]


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
    Machine.save = _save_machine
    Environment.create = _create_environment


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
