"""What `asv run` prints: what was asked and no more, and that it keeps nothing where that is so.

asv prints each question over the whole grid, with "n/a" for what it was not asked: of a narrowed
run 13,900 lines of 14,000.
"""

import itertools
import math
from collections.abc import Collection
from typing import Any

import asv.results
import asv.runner
from asv.console import log
from asv.results import Results
from asv.util import human_value

NOTHING_KEPT = (
    "asv prints these figures and keeps none of them, because of --dry-run, --python=same or "
    "-E existing: without --dry-run, --set-commit-hash HEAD keeps those of the others."
)

asv_run_benchmarks = asv.runner.run_benchmarks


def replace() -> None:
    """Let asv print so; called by the plugin in `asv run`."""
    asv.runner.format_benchmark_result = formatted


def run_benchmarks(*arguments: Any, results: Results, **options: Any) -> Any:
    """Measure as asv does; say before and after it if asv is not going to save.

    Args:
        arguments: of asv's function.
        results: of this run; of those that asv saves it has loaded what was there before.
        options: of asv's function.
    """
    kept = getattr(results, "loaded", True)
    if not kept:
        log.warning(NOTHING_KEPT)
    try:
        return asv_run_benchmarks(*arguments, results=results, **options)
    finally:
        if not kept:
            log.warning(NOTHING_KEPT)


def formatted(results: Results, benchmark: dict[str, Any]) -> tuple[str, str | None]:
    """Return how a benchmark has ended in a word or two, and a line for each cell that was asked.

    Args:
        results: with the benchmark's.
        benchmark: asv's description of it.
    """
    name, grid = benchmark["name"], benchmark["params"]
    values = results.get_result_value(name, grid)
    stats = results.get_result_stats(name, grid)
    asked: Collection[int] | None = getattr(results, "asked", {}).get(name)
    cells = [(index, ", ".join(names)) for index, names in enumerate(_names(grid))]
    rows = []
    failed = 0
    for index, cell in cells:
        value = values[index]
        refused = value is not None and math.isnan(value)
        if index not in asked if asked is not None else refused:
            continue
        failed += value is None
        rows.append((cell, human_value(value, benchmark["unit"], err=_error(value, stats[index]))))
    if not rows:
        return "not asked", None
    info = f"{failed}/{len(rows)} failed" if failed else "ok"
    width = max(len(cell) for cell, _ in rows)
    return info, "\n".join(f"{cell:{width}}  {shown}" for cell, shown in rows)


def _names(grid: list[list[str]]) -> list[tuple[str, ...]]:
    """Return the parameters of each cell, as texts without quotes, in asv's order."""
    return [tuple(name.strip("'") for name in names) for names in itertools.product(*grid)]


def _error(value: float | None, stats: Any) -> float | None:
    if value is None or not stats or math.isnan(value):
        return None
    error: float = asv.results.get_err(value, stats)
    return error
