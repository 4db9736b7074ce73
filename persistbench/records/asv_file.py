"""The only reader of asv's own files: ``benchmarks.json`` and the result files of each machine.

Everything else that is read from results/ is ours, and has a struct of its own in this room.
"""

import ast
import itertools
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from asv.benchmarks import Benchmarks
from asv.results import Results, compute_stats, iter_results_paths
from asv.util import load_json

from persistbench.errors import UserError
from persistbench.outcomes import explain

Interval = tuple[float | None, float | None]
"""The ends of a 99 % interval; None where there is none."""


class ForeignError(Exception):
    """A file, or a benchmark in it, is not one that this suite makes asv write."""


class Benchmark(NamedTuple):
    """How a benchmark is described now.

    Attributes:
        version: raised with every change of what is measured.
        unit: of its values.
    """

    version: str
    unit: str


class Cell(NamedTuple):
    """What asv has stored of one pipeline and backend.

    Attributes:
        pipeline: its name.
        backend: its id.
        value: the median, or what was counted; None if the cell has failed, NaN if it is n/a or
            was not run.
        interval: of the median.
        calls: so many calls the value stands on.
        samples: what each call took, in the order of the rounds; empty where nothing was timed.
    """

    pipeline: str
    backend: str
    value: float | None
    interval: Interval
    calls: int
    samples: Sequence[float]


class ResultFile:
    """One result file: a machine, an environment and a commit."""

    def __init__(self, path: Path, machine: str) -> None:
        """Read the file.

        Args:
            path: of the file.
            machine: asv's name of the machine that the file's folder belongs to.

        Raises:
            ForeignError: asv cannot read it.
        """
        try:
            self._content = Results.load(str(path), machine_name=machine)
            self.keys: list[str] = list(self._content.get_all_result_keys())
            self.machine = str(self._content.params["machine"])
            self.commit = self._content.commit_hash[:8]
            self.environment = _text(self._content.env_name)
        except Exception as error:  # what a foreign file makes asv raise is not foreseeable
            raise ForeignError(str(error)) from error
        self.params: dict[str, Any] = self._content.params

    def version(self, key: str) -> str | None:
        """Return the version of a benchmark that these results are of."""
        version: str | None = self._content.benchmark_version.get(key)
        return version

    def started(self, key: str) -> int:
        """Return when a benchmark was started, in milliseconds since 1970; 0 if that is unknown.

        Raises:
            ForeignError: what is stored is no time.
        """
        try:
            result = int(self._content.started_at.get(key) or 0)
            datetime.fromtimestamp(result / 1000, UTC)
        except (TypeError, ValueError, OverflowError, OSError) as error:
            raise ForeignError(str(error)) from error
        return result

    def cells(self, key: str) -> list[Cell]:
        """Return all cells of a benchmark.

        Args:
            key: asv's name of the benchmark.

        Raises:
            ForeignError: it is none of pipelines and backends.
        """
        try:
            return list(self._cells(key))
        except Exception as error:  # asv has read it, and it is no result of this suite
            raise ForeignError(str(error)) from error

    def _cells(self, key: str) -> Iterator[Cell]:
        content = self._content
        grid = content.get_result_params(key)
        if len(grid) != 2:
            raise ValueError("it is not one of pipelines and backends")
        columns = (
            content.get_result_value(key, grid),
            content.get_result_stats(key, grid),
            content.get_result_samples(key, grid),
        )
        for names, value, stored, calls in zip(itertools.product(*grid), *columns, strict=True):
            pipeline, backend = (_text(ast.literal_eval(name)) for name in names)
            stats = stored or {}
            count = int(stats.get("repeat", 1) * stats.get("number", 1))
            samples = [_number(call) for call in calls or ()]
            measured = None if value is None else _number(value)
            yield Cell(pipeline, backend, measured, _interval(stats), count, samples)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{value!r} is no name")
    return value


def _number(value: Any) -> float:
    """Return what was measured or counted; NaN says that there is nothing."""
    if not isinstance(value, int | float) or value < 0 or math.isinf(value):
        raise ValueError(f"{value!r} is nothing that was measured")
    return value


def result_files(results: Path) -> list[tuple[Path, str]]:
    """Return the path of each result file, with the machine of its folder, in their order.

    Args:
        results: asv's results folder.

    Raises:
        UserError: the folder, or a description of a machine in it, cannot be read.
    """
    try:
        paths = sorted(iter_results_paths(str(results)))
    except Exception as error:  # what a foreign file makes asv raise is not foreseeable
        raise UserError(
            f"{results} cannot be read ({explain(error)}): a machine.json in it is none of asv's."
        ) from error
    return [(Path(folder, name), machine) for folder, name, machine in paths]


def described(results: Path) -> dict[str, Benchmark]:
    """Return asv's description of the benchmarks as they are now, by asv's names of them.

    Args:
        results: asv's results folder.

    Raises:
        UserError: the folder or the description cannot be read.
    """
    path = Path(Benchmarks.get_benchmark_file_path(str(results)))
    if not path.is_file():
        if results.exists() and not results.is_dir():
            raise UserError(f"{results} is no folder of results: move it away.")
        return {}
    try:
        content: dict[str, Any] = load_json(str(path), api_version=Benchmarks.api_version)
        return {
            name: Benchmark(str(facts.get("version")), facts.get("unit", ""))
            for name, facts in content.items()
        }
    except Exception as error:  # what a foreign file makes asv raise is not foreseeable
        raise UserError(
            f"{path} cannot be read ({explain(error)}): remove it, and `make bench` writes it anew."
        ) from error


def median(samples: Sequence[float]) -> tuple[float, Interval]:
    """Return the median of samples and its interval, as asv calculates both.

    Args:
        samples: at least one.
    """
    value, stats = compute_stats(samples, 1)
    return value, _interval(stats)


def _interval(stats: dict[str, Any]) -> Interval:
    """Return the 99 % interval, at least 0: of three samples asv's reaches below, and no call does.

    One sample has none: asv's is infinite.
    """
    low, high = stats.get("ci_99_a"), stats.get("ci_99_b")
    if low is None or high is None or not math.isfinite(low) or not math.isfinite(high):
        return None, None
    return max(low, 0.0), high
