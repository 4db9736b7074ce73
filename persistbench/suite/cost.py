"""What a run of the suite cost, and how much of that was inside timed calls.

Read from asv's results, which must have been stored with their samples
(``asv run --record-samples``; `persistbench bench` does so).
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

SHARED = "fresh."
"""Benchmarks whose samples do not add up to time spent: several cells, and the stages and their
total, are told by the same processes."""

Samples = dict[tuple[str, str, str], list[float]]
"""Seconds of each timed call, by result file, benchmark and cell."""


def samples(results: Path) -> Samples:
    """Return the samples under a results folder, but shared ones; empty if there are none."""
    return dict(_iter_samples(results))


def seconds_inside(before: Samples, after: Samples) -> dict[str, float]:
    """Return the seconds spent in the timed calls that a run added, by benchmark and cell.

    Args:
        before: samples in the results folder before the run.
        after: samples after it. A list that begins with the old one was appended to;
            any other was replaced.
    """
    result = {}
    for place, values in after.items():
        old = before.get(place, [])
        appended = bool(old) and values[: len(old)] == old
        added = values[len(old) :] if appended else values
        if added:
            result[f"{place[1]} {place[2]}"] = sum(added)
    return result


def _iter_samples(results: Path) -> Iterator[tuple[tuple[str, str, str], list[float]]]:
    from asv.results import iter_results

    if not results.is_dir():
        return
    for result in iter_results(str(results)):
        for benchmark in result.get_all_result_keys():
            if benchmark.startswith(SHARED):
                continue
            grid = result.get_result_params(benchmark)
            stored = result.get_result_samples(benchmark, grid)
            cells = itertools.product(*grid)
            for cell, values in zip(cells, stored or (), strict=False):
                if values:
                    place = (str(result._filename), benchmark, ", ".join(cell))
                    yield place, [float(value) for value in values]
