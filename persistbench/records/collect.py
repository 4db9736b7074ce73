"""Reads a results folder into the tidy table, by asv's own API and our records.

What cannot be read is named and left out; the rest is still shown.
"""

import ast
import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from persistbench.outcomes import access
from persistbench.records import calibration, jsonl, pairs, trial
from persistbench.records.figures import CPU, Figure, Table
from persistbench.records.places import Source, place, place_of_trials
from persistbench.statistics import ratios
from persistbench.statistics.ratios import LogRatio


class _Cell(NamedTuple):
    """The newest figure of a cell, and what it stands on."""

    started: int
    figure: Figure
    samples: list[float]
    pairs: pairs.Pairs | None

    def newer_than(self, other: "_Cell") -> bool:
        """Return whether this one replaces the other."""
        return self.figure.status != "not run" and self.started >= other.started


def collect(results: Path) -> Table:
    """Return the newest figure of every cell, where it comes from, and what was left out.

    Args:
        results: asv's results folder.
    """
    from asv.results import iter_results_paths

    benchmarks = _benchmarks(results)
    warnings: list[str] = []
    newest: dict[tuple[str, ...], _Cell] = {}
    sources: dict[tuple[str, str], list[Source]] = defaultdict(list)
    outdated: dict[tuple[str, ...], str] = {}
    for folder, name, machine in sorted(iter_results_paths(str(results))):
        source, cells = _read(Path(folder, name), machine, benchmarks, warnings, outdated)
        if source is not None and source.times:
            sources[source.result.params["machine"], source.result.env_name].append(source)
        for cell in cells:
            old = newest.get(cell.figure.cell)
            # A cell that a later, narrower run left out keeps what it had.
            if old is None or old.figure.status == "not run" or cell.newer_than(old):
                newest[cell.figure.cell] = cell
    there = {cell[:3] for cell, result in newest.items() if result.figure.status != "not run"}
    warnings += [text for cell, text in sorted(outdated.items()) if cell not in there]
    machines = {place[0] for place in newest}
    known = {name: calibration.read(results / name) for name in sorted(machines)}
    calibrations = {name: result for name, result in known.items() if result}
    figures, derived = _with_pairs(newest.values(), calibrations, warnings)
    places = [place(*key, result) for key, result in sorted(sources.items())]
    timed = {cell.figure.cell: cell.samples for cell in newest.values() if cell.samples}
    tried, broken = trial.read(results)
    warnings += broken
    for machine in sorted(tried.keys() - {own.machine for own in places}):
        places.append(place_of_trials(machine, tried[machine]))
    return Table(figures, places, warnings, timed, derived, calibrations, tried)


def _read(
    path: Path,
    machine: str,
    benchmarks: dict[str, Any],
    warnings: list[str],
    outdated: dict[tuple[str, ...], str],
) -> tuple[Source | None, list[_Cell]]:
    """Return a result file and its cells.

    What is left out goes to the warnings; what another version has measured to the outdated, by
    machine, environment and question, because newer figures may be there.
    """
    from asv.results import Results

    try:
        result = Results.load(str(path), machine_name=machine)
        keys = result.get_all_result_keys()
        str(result.params["machine"]), result.commit_hash[:8]
    except Exception as error:  # what a foreign file makes asv raise is not foreseeable
        warnings.append(f"{path} is left out: {error}")
        return None, []
    found, broken = _records(path.with_suffix(".outcomes.jsonl"))
    turns, broken_turns = pairs.read(path.with_suffix(".pairs.jsonl"))
    warnings += [*broken, *broken_turns]
    reasons = {tuple(str(record.get(key)) for key in _REASON): record for record in found}
    source, cells = Source(result, found, []), []
    for key in keys:
        if key not in benchmarks:
            warnings.append(f"{path}: {key} is left out: benchmarks.json does not know it.")
            continue
        version = benchmarks[key].get("version")
        if result.benchmark_version.get(key) != version:
            outdated[machine, result.env_name, pairs.question(key)] = (
                f"{path}: {key} was measured by another version of the benchmark "
                "and is left out; `make bench` measures it again."
            )
            continue
        try:
            started = int(result.started_at.get(key) or 0)
            rows = list(_figures(result, key, benchmarks[key].get("unit", ""), reasons))
        except Exception as error:  # asv has read it, and it is no result of this suite
            warnings.append(f"{path}: {key} is left out: {error}")
            continue
        source.times.append(started)
        for figure, samples in rows:
            own = turns.get(figure.cell[2:])
            used = own is not None and own.version == version and figure.status == "ok"
            cells.append(_Cell(started, figure, samples, own if used else None))
    return source, cells


_REASON = ("pipeline", "backend", "access", "question")
"""What an outcome record concerns."""


def _with_pairs(
    cells: Iterable[_Cell],
    calibrations: dict[str, calibration.Calibration],
    warnings: list[str],
) -> tuple[list[Figure], list[Figure]]:
    """Return the figures with their paired ratios, and the figures derived from pairs.

    What is usual of a ratio's variance is learnt from all cells of the same machine and
    environment, and is at least the noise of its calibration; where that gave false alarms,
    intervals are as much wider as it takes to have none.
    """
    cells = list(cells)
    groups: dict[tuple[str, ...], dict[tuple[str, ...], list[list[float]]]] = defaultdict(dict)
    for cell in cells:
        for reference, own in cell.pairs.ratios.items() if cell.pairs else ():
            groups[(*cell.figure.cell[:2], reference)][cell.figure.cell] = own
    known_ratios: dict[tuple[str, ...], dict[str, LogRatio]] = defaultdict(dict)
    try:
        for group, measured in groups.items():
            known = calibrations.get(group[0])
            noise, wider = (known.noise, known.wider) if known else (0.0, 1.0)
            for cell_key, ratio in ratios.estimate(measured, noise**2, wider).items():
                known_ratios[cell_key][group[-1]] = ratio
    except ModuleNotFoundError as error:
        warnings.append(
            f"Calls in turn are not compared, because {error.name} is not installed where asv is; "
            "ratios and ties are those of separate figures."
        )
    figures, derived = [], []
    for cell in cells:
        figure = replace(cell.figure, paired=known_ratios[cell.figure.cell])
        figures.append(figure)
        for reference, result in figure.paired.items():
            ends = result.interval()
            name = f"{figure.question}/{reference}"
            derived.append(_derived(figure, name, ends, "ratio", result.pairs))
        if cell.pairs:
            derived.append(_cpu_time(figure, cell.pairs))
    return figures, derived


def _derived(
    figure: Figure, question: str, ends: tuple[float | None, ...], unit: str, samples: int
) -> Figure:
    value, low, high = ends
    return Figure(
        *figure.cell[:2],
        question,
        figure.pipeline,
        figure.backend,
        value,
        unit,
        low,
        high,
        samples,
        "ok",
        "",
    )


def _cpu_time(figure: Figure, measured: pairs.Pairs) -> Figure:
    """Return the median CPU time of a call, of all threads; its interval is asv's."""
    from asv.results import compute_stats

    calls = [call for process in measured.cpu for call in process]
    value, result = compute_stats(calls, 1)
    ends = (value, *_ends_of(result))
    return _derived(figure, figure.question + CPU, ends, figure.unit, len(calls))


def _figures(
    result: Any, key: str, unit: str, reasons: dict[tuple[str, ...], Any]
) -> Iterable[tuple[Figure, list[float]]]:
    """Yield the rows of one benchmark, each with its samples."""
    grid = result.get_result_params(key)
    question = pairs.question(key)
    values = result.get_result_value(key, grid)
    stats = result.get_result_stats(key, grid)
    samples = result.get_result_samples(key, grid)
    if len(grid) != 2:
        raise ValueError("it is not one of pipelines and backends")
    cells = zip(itertools.product(*grid), values, stats, samples, strict=True)
    for names, value, stat, calls in cells:
        pipeline, backend = (ast.literal_eval(name) for name in names)
        status, reason = "ok", ""
        if value is None or math.isnan(value):
            record = _reason(reasons, pipeline, backend, question)
            status, reason = _explained(record, failed=value is None)
        found = stat or {}
        figure = Figure(
            result.params["machine"],
            result.env_name,
            question,
            pipeline,
            backend,
            value if status == "ok" else None,
            unit,
            *_ends_of(found),
            int(found.get("repeat", 1) * found.get("number", 1)) if status == "ok" else 0,
            status,
            reason,
        )
        yield figure, list(calls or ()) if status == "ok" else []


def _ends_of(stats: dict[str, Any]) -> tuple[float | None, float | None]:
    """Return the 99 % interval, at least 0: of three samples asv's reaches below, and no call does.

    One sample has none: asv's is infinite.
    """
    low, high = stats.get("ci_99_a"), stats.get("ci_99_b")
    if low is None or high is None or not math.isfinite(low) or not math.isfinite(high):
        return None, None
    return max(low, 0.0), high


def _explained(record: dict[str, Any], failed: bool) -> tuple[str, str]:
    """Return status and reason of a cell without a figure."""
    if not record or record["status"] == "ok":
        return ("failed", "no reason is on record") if failed else ("not run", "")
    reason = f"{record['outcome']}: {record['reason']}".rstrip(": ")
    # The address of an object differs in every process, and says nothing.
    reason = re.sub(r" at 0x[0-9a-f]+", "", reason)
    return ("failed" if failed else record["status"]), reason


def _records(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the records beside a result file, oldest first, and what is broken in it."""
    if not path.is_file():
        return [], []
    result, broken = jsonl.read(path)
    whole = [record for record in result if _TEXTS.issubset(_texts_of(record))]
    if len(whole) < len(result):
        broken.append(f"{path} has {len(result) - len(whole)} foreign lines, which are left out.")
    return whole, broken


_TEXTS = {"pipeline", "backend", "access", "question", "status", "outcome", "reason"}


def _texts_of(record: dict[str, Any]) -> set[str]:
    return {name for name, value in record.items() if isinstance(value, str)}


def _reason(found: dict[tuple[str, ...], Any], pipeline: str, backend: str, question: str) -> Any:
    """Return the record that explains a cell: the question's own, else that of its artifact."""
    how = access(question)
    own = found.get((pipeline, backend, how, question), {})
    if own and own["status"] != "ok":
        return own
    return found.get((pipeline, backend, how, ""), {})


def _benchmarks(results: Path) -> dict[str, Any]:
    """Return asv's description of the benchmarks as they are now."""
    from asv.benchmarks import Benchmarks
    from asv.util import load_json

    path = Benchmarks.get_benchmark_file_path(str(results))
    if not Path(path).is_file():
        return {}
    result: dict[str, Any] = load_json(path, api_version=Benchmarks.api_version)
    return result
