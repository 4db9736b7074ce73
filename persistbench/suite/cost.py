"""What a run of the suite cost, and how much of that was inside timed calls.

Read from asv's results, which must have been stored with their samples
(``asv run --record-samples``; `persistbench bench` does so).
"""

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
    for key, values in after.items():
        old = before.get(key, [])
        appended = bool(old) and values[: len(old)] == old
        added = values[len(old) :] if appended else values
        if added:
            result[f"{key[1]} {key[2]}"] = sum(added)
    return result


DEAREST = 5
"""So many cells are named at the end of a run, with what their calls cost."""


def summary(spent: dict[str, float], wall: float) -> list[str]:
    """Return what a run cost, line by line.

    Args:
        spent: seconds inside timed calls, by benchmark and cell.
        wall: seconds of the whole run; more than 0.
    """
    inside = sum(spent.values())
    dearest = sorted(spent.items(), key=lambda item: -item[1])[:DEAREST]
    return [
        f"Run and publish: {wall:.0f} s, of which {inside:.0f} s ({inside / wall:.0%}) were inside",
        "timed calls; the rest is fitting, checking answers, calling references, warming up,",
        "starting processes (and what fresh ones take, if they were asked for).",
        f"{len(spent)} timed figures, {len(spent) / wall:.1f} a second.",
        *(f"  {seconds:6.1f} s  {cell}" for cell, seconds in dearest),
    ]


def _iter_samples(results: Path) -> Iterator[tuple[tuple[str, str, str], list[float]]]:
    from persistbench.records.asv_file import ForeignError, ResultFile, result_files

    for path, machine in result_files(results):
        try:
            result = ResultFile(path, machine)
            for benchmark in result.keys:
                if not benchmark.startswith(SHARED):
                    for cell in result.cells(benchmark):
                        if cell.samples:
                            names = f"{cell.pipeline}, {cell.backend}"
                            yield (str(path), benchmark, names), list(cell.samples)
        except ForeignError:  # the page says which file, and why
            continue
