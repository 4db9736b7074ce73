"""asv's door to persistbench; named in asv.conf.json, so asv imports it at every command.

asv 0.6.6 writes its result file once, when everything has been measured, and in place:
Ctrl-C in the last minute loses the whole run, and a full disk also loses the run before.
asv offers no hook for that, so its Results class is replaced in `asv run`. Only asv and the
standard library are imported here: asv may be installed anywhere.
"""

import ast
import atexit
import itertools
import json
import math
import os
import shutil
import signal
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asv.commands.run
from asv.machine import Machine
from asv.results import Results
from asv.util import TIMEOUT_RETCODE, UserError

from persistbench.measure import paired
from persistbench.outcomes import DESTINATION, RUN, access
from persistbench.records import pairs

_TABLES = (
    "_results",
    "_samples",
    "_stats",
    "_benchmark_params",
    "_profiles",
    "_started_at",
    "_duration",
    "_benchmark_version",
)
"""The attributes of asv's Results that have an entry for each benchmark."""


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
    """Results that are on disk as soon as a benchmark is finished, and never half written."""

    _folder: str | None = None
    _unfinished = False  # asv saves once more when all is done, as far as it was asked to

    def load_data(self, result_dir: str) -> None:
        """Called by `asv run` before it measures, and only if it is going to save."""
        super().load_data(result_dir)
        self._folder = result_dir
        self._before = {table: dict(getattr(self, table)) for table in _TABLES}
        self._rounds_left: dict[str, int] = {}
        self._failed: defaultdict[str, set[int]] = defaultdict(set)
        # Benchmark processes inherit these and put their outcomes beside these results.
        file = Path(result_dir, self._filename).resolve()
        os.environ[DESTINATION] = str(file.with_suffix(".outcomes.jsonl"))
        os.environ[RUN] = datetime.now(UTC).isoformat()
        # And these their calls in turn, which add_result gathers.
        self._rows = tempfile.mkdtemp(prefix="persistbench-rows-")
        atexit.register(shutil.rmtree, self._rows, ignore_errors=True)
        os.environ[pairs.FOLDER] = self._rows
        self._pairs_path = file.with_suffix(".pairs.jsonl")
        self._pairs, _ = pairs.read(self._pairs_path)
        self._new_pairs: dict[str, dict[pairs.Key, pairs.Pairs]] = {}

    def add_result(self, benchmark: Any, result: Any, **kwargs: Any) -> None:
        """Called after every round of a benchmark."""
        if self._folder is None:
            super().add_result(benchmark, result, **kwargs)
            return
        name = benchmark["name"]
        # asv lets the last round decide; a cell that failed in any round has failed.
        failed = self._failed[name]
        failed |= {index for index, value in enumerate(result.result) if value is None}
        for index in failed:
            result.result[index] = None
        if failed and result.errcode == 0:
            result = result._replace(errcode=1)
        sat_out = self._sat_out(benchmark, result)
        if sat_out:  # they keep what they have
            every = range(len(result.result))
            kwargs["selected_idx"] = set(kwargs.get("selected_idx") or every) - sat_out
        # Samples are kept, as evidence and so that a quick run can be added to them.
        super().add_result(benchmark, result, **{**kwargs, "record_samples": True})
        if failed:
            self._record_silent(benchmark, failed, result.errcode)
        self._gather(benchmark, bool(kwargs.get("append_samples")))
        left = self._rounds_left.get(name, int(benchmark.get("rounds", 1)))
        self._rounds_left[name] = left - 1
        with _uninterrupted(), self._old_where_unfinished():
            self.save(self._folder)

    def _sat_out(self, benchmark: Any, result: Any) -> set[int]:
        """Return the cells that were too slow for another round."""
        question = pairs.question(benchmark["name"])
        done = paired.done(Path(self._rows))
        cells = itertools.product(*benchmark["params"])
        return {
            index
            for index, (names, value) in enumerate(zip(cells, result.result, strict=True))
            if value is not None
            and math.isnan(value)
            and (question, *map(ast.literal_eval, names)) in done
        }

    def _gather(self, benchmark: Any, append: bool) -> None:
        """Collect the calls in turn of a round; a benchmark's are written when all are there."""
        name = benchmark["name"]
        first = name not in self._new_pairs
        result = self._new_pairs.setdefault(name, {})
        for new in pairs.gather(Path(self._rows), benchmark["version"]):
            # asv appends every round but the first; if that one, too, the reader asked for it.
            old = result.get(new.key) or (self._pairs.get(new.key) if first and append else None)
            result[new.key] = pairs.merged(old, new)

    def save(self, result_dir: str) -> None:
        """Replace the file of this run."""
        try:
            with tempfile.TemporaryDirectory(dir=result_dir, prefix=".saving-") as temporary:
                super().save(temporary)
                Path(temporary, self._filename).replace(Path(result_dir, self._filename))
            if self._folder is not None:
                self._save_pairs()
        except OSError as error:
            raise UserError(
                f"The results cannot be saved in {result_dir} ({error.strerror}): "
                "what was there before is unchanged."
            ) from error

    def _save_pairs(self) -> None:
        """Replace the file of the calls in turn, by those of the benchmarks that are finished."""
        finished = [
            name
            for name in self._new_pairs
            if not (self._unfinished and self._rounds_left.get(name))
        ]
        whole = {key: result for name in finished for key, result in self._new_pairs[name].items()}
        if whole:
            pairs.write(self._pairs_path, (self._pairs | whole).values())
            self._pairs |= whole
        for name in finished:  # not before they are on the disk
            del self._new_pairs[name]

    @contextmanager
    def _old_where_unfinished(self) -> Iterator[None]:
        """Show what was measured before this run, until all rounds of its successor are done."""
        new = {table: dict(getattr(self, table)) for table in _TABLES}
        for name, left in self._rounds_left.items():
            if left > 0 and name in self._before["_results"]:
                for table, entries in self._before.items():
                    if name in entries:
                        getattr(self, table)[name] = entries[name]
        self._unfinished = True
        try:
            yield
        finally:
            self._unfinished = False
            for table, entries in new.items():
                setattr(self, table, entries)

    def _record_silent(self, benchmark: Any, failed: set[int], errcode: int) -> None:
        """Write the record of cells whose process died without a word, or hung."""
        path = Path(os.environ[DESTINATION])
        question = pairs.question(benchmark["name"])
        explained = set()
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            with suppress(ValueError):
                record = json.loads(line)
                concerns = record["question"] in ("", question) and record["status"] == "failed"
                if concerns and record["run"] == os.environ[RUN]:
                    explained.add((record["pipeline"], record["backend"]))
        cells = list(itertools.product(*benchmark["params"]))
        for pipeline, backend in (map(ast.literal_eval, cells[index]) for index in failed):
            if (pipeline, backend) in explained:
                continue
            how = access(question)
            record = {
                "cell": f"{pipeline}/{backend}/{how}/{question}",
                "pipeline": pipeline,
                "backend": backend,
                "access": how,
                "question": question,
                "status": "failed",
                "outcome": "timeout" if errcode == TIMEOUT_RETCODE else "crash",
                "reason": f"the benchmark's process ended with status {errcode}",
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "environment": self._env_name,
                "run": os.environ[RUN],
            }
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")


def setup() -> None:
    """Called by asv when it has imported this plugin."""
    asv.commands.run.Results = SafeResults
    Machine.save = _save_machine


_asv_save_machine = Machine.save


def _save_machine(machine: Machine, results_dir: str) -> None:
    """Say in a sentence what asv shows as a traceback: the first thing `asv run` writes."""
    try:
        _asv_save_machine(machine, results_dir)
    except OSError as error:
        raise UserError(
            f"The results folder {results_dir} cannot be written to ({error.strerror}): "
            "give yourself the right to, or make room."
        ) from error
