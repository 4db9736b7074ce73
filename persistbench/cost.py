"""What a run of the suite cost, and how much of that was inside timed calls.

Read from asv's results, which must have been stored with their samples
(``asv run --record-samples``; `persistbench bench` does so).
"""

from collections.abc import Iterator
from pathlib import Path

Samples = dict[tuple[str, str, int], list[float]]
"""Seconds of each timed call, by result file, benchmark and position in its grid."""


def samples(results: Path) -> Samples:
    """Return every sample under a results folder; empty if there is nothing to read."""
    return dict(_iter_samples(results))


def seconds_inside(before: Samples, after: Samples) -> float:
    """Return the seconds spent in the timed calls that a run added.

    Args:
        before: samples in the results folder before the run.
        after: samples after it. A list that begins with the old one was appended to;
            any other was replaced.
    """
    total = 0.0
    for place, values in after.items():
        old = before.get(place, [])
        appended = bool(old) and values[: len(old)] == old
        total += sum(values[len(old) :] if appended else values)
    return total


def _iter_samples(results: Path) -> Iterator[tuple[tuple[str, str, int], list[float]]]:
    from asv.results import iter_results

    if not results.is_dir():
        return
    for result in iter_results(str(results)):
        for benchmark in result.get_all_result_keys():
            grid = result.get_result_params(benchmark)
            stored = result.get_result_samples(benchmark, grid)
            for index, values in enumerate(stored or []):
                if values:
                    yield (str(result._filename), benchmark, index), [float(v) for v in values]
