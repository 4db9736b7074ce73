"""The one tidy table: a row for every figure or refusal, read from asv's results and our records.

asv's results are read through asv's own API. What cannot be read is named and left out;
the rest is still shown.
"""

import ast
import csv
import io
import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from persistbench import calibration, intervals, pairs, records
from persistbench.calibration import Calibration
from persistbench.intervals import LogRatio


@dataclass(frozen=True)
class Figure:
    """One row of the tidy table.

    Attributes:
        machine: asv's name of the machine.
        environment: asv's name of the environment: Python and the pinned libraries.
        question: the benchmark's name without ``time_`` or ``track_``.
        pipeline: what was saved.
        backend: how it was saved.
        value: the median; None where there is no figure.
        unit: of value, low and high.
        low: lower end of the 99 % interval of the median, None where there is none.
        high: its upper end.
        samples: how many calls the figure stands on.
        status: ``ok``, ``n/a``, ``failed`` or ``not run``.
        reason: the outcome and its reason where there is no figure.
        paired: its ratio to each reference that it was called in turn with; not a column.
    """

    machine: str
    environment: str
    question: str
    pipeline: str
    backend: str
    value: float | None
    unit: str
    low: float | None
    high: float | None
    samples: int
    status: str
    reason: str
    paired: dict[str, LogRatio] = field(default_factory=dict, compare=False, repr=False)

    @property
    def row(self) -> tuple[str, str, str, str]:
        """What is ranked together: machine, environment, question, pipeline."""
        return (self.machine, self.environment, self.question, self.pipeline)

    @property
    def cell(self) -> tuple[str, str, str, str, str]:
        """What the figure is of: machine, environment, question, pipeline, backend."""
        return (*self.row, self.backend)


@dataclass(frozen=True)
class Place:
    """Where and with what figures were measured: rankings never cross its border.

    Attributes:
        machine: asv's name of the machine.
        environment: asv's name of the environment.
        facts: what is known of it, as pairs of a heading and a text.
        requirements: the versions that tell its environment from others.
    """

    machine: str
    environment: str
    facts: tuple[tuple[str, str], ...]
    requirements: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, eq=False)
class Table:
    """All that the results folder holds.

    Attributes:
        figures: the newest figure or refusal of every cell.
        places: the machines and environments that they come from.
        warnings: one sentence for whatever was left out.
        samples: the single calls behind a figure, in the order of the rounds; none for what
            is not timed.
        derived: for each timed figure, its CPU time (question ``load_cpu``) and its ratio to
            each reference that was called in turn with it (question ``load/pickle-5``).
        calibrations: what is known of the instrument, by machine.
    """

    figures: list[Figure]
    places: list[Place]
    warnings: list[str]
    samples: dict[Figure, list[float]] = field(default_factory=dict)
    derived: list[Figure] = field(default_factory=list)
    calibrations: dict[str, Calibration] = field(default_factory=dict)

    def cells(self, place: Place) -> dict[str, dict[str, dict[str, Figure]]]:
        """Return the figures of one place by pipeline (alphabetically), backend, question."""
        found: dict[str, dict[str, dict[str, Figure]]] = defaultdict(lambda: defaultdict(dict))
        for figure in self.figures:
            if (figure.machine, figure.environment) == (place.machine, place.environment):
                found[figure.pipeline][figure.backend][figure.question] = figure
        return dict(sorted(found.items()))


COLUMNS = tuple(column.name for column in fields(Figure) if column.compare)


def collect(results: Path) -> Table:
    """Return the newest figure of every cell, where it comes from, and what was left out.

    Args:
        results: asv's results folder.
    """
    from asv.results import Results, iter_results_paths

    benchmarks = _benchmarks(results)
    warnings: list[str] = []
    newest: dict[tuple[str, ...], _Cell] = {}
    sources: dict[tuple[str, str], list[_Source]] = defaultdict(list)
    for folder, name, machine in sorted(iter_results_paths(str(results))):
        path = Path(folder, name)
        try:
            result = Results.load(str(path), machine_name=machine)
            keys = result.get_all_result_keys()
            str(result.params["machine"]), result.commit_hash[:8]
        except Exception as error:  # what a foreign file makes asv raise is not foreseeable
            warnings.append(f"{path} is left out: {error}")
            continue
        found, broken = _records(path.with_suffix(".outcomes.jsonl"))
        warnings += broken
        turns, broken = pairs.read(path.with_suffix(".pairs.jsonl"))
        warnings += broken
        reasons = {tuple(str(record.get(key)) for key in _REASON): record for record in found}
        source = _Source(result, found, [])
        sources[result.params["machine"], result._env_name].append(source)
        for key in keys:
            if key not in benchmarks:
                warnings.append(f"{path}: {key} is left out: benchmarks.json does not know it.")
                continue
            version = benchmarks[key].get("version")
            if result.benchmark_version.get(key) != version:
                warnings.append(
                    f"{path}: {key} was measured by another version of the benchmark "
                    "and is left out; `make bench` measures it again."
                )
                continue
            try:
                started = int(result.started_at.get(key) or 0)
                unit = benchmarks[key].get("unit", "")
                rows = list(_figures(result, key, unit, reasons))
            except Exception as error:  # asv has read it, and it is no result of this suite
                warnings.append(f"{path}: {key} is left out: {error}")
                continue
            source.times.append(started)
            for figure, samples in rows:
                old = newest.get(figure.cell)
                # A cell that a later, narrower run left out keeps what it had.
                weaker = figure.status == "not run" or (old is not None and old.started > started)
                if old is not None and weaker and old.figure.status != "not run":
                    continue
                own = turns.get(figure.cell[2:]) if figure.status == "ok" else None
                if own and own.version != version:
                    own = None
                newest[figure.cell] = _Cell(started, figure, samples, own)
    machines = {place[0] for place in newest}
    known = {name: calibration.read(results / name) for name in sorted(machines)}
    calibrations = {name: found for name, found in known.items() if found}
    noise = {name: found.noise for name, found in calibrations.items()}
    figures, derived = _with_pairs(newest.values(), noise, warnings)
    used = {(figure.machine, figure.environment) for figure in figures}
    places = [
        Place(*key, _facts(kept), _requirements(kept))
        for key, found in sorted(sources.items())
        if key in used and (kept := [source for source in found if source.times])
    ]
    timed = {cell.figure: cell.samples for cell in newest.values() if cell.samples}
    return Table(figures, places, warnings, timed, derived, calibrations)


def to_csv(figures: Iterable[Figure]) -> str:
    """Return the tidy table as CSV with a header; an absent number is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(figure, name) for name in COLUMNS] for figure in figures)
    return text.getvalue()


class _Cell(NamedTuple):
    """The newest figure of a cell, and what it stands on."""

    started: int
    figure: Figure
    samples: list[float]
    pairs: pairs.Pairs | None


class _Source(NamedTuple):
    """One result file of asv and the records beside it."""

    result: Any
    records: list[dict[str, Any]]
    times: list[int]


_REASON = ("pipeline", "backend", "access", "question")
"""What an outcome record concerns."""


def _with_pairs(
    cells: Iterable[_Cell], noise: dict[str, float], warnings: list[str]
) -> tuple[list[Figure], list[Figure]]:
    """Return the figures with their paired ratios, and the figures derived from pairs.

    What is usual of a ratio's variance is learnt from all cells of the same machine and
    environment, and is at least the noise of its calibration.
    """
    cells = list(cells)
    groups: dict[tuple[str, ...], dict[tuple[str, ...], list[list[float]]]] = defaultdict(dict)
    for cell in cells:
        for reference, ratios in cell.pairs.ratios.items() if cell.pairs else ():
            groups[(*cell.figure.cell[:2], reference)][cell.figure.cell] = ratios
    paired: dict[tuple[str, ...], dict[str, LogRatio]] = defaultdict(dict)
    try:
        for group, measured in groups.items():
            for place, ratio in intervals.estimate(measured, noise.get(group[0], 0.0) ** 2).items():
                paired[place][group[-1]] = ratio
    except ModuleNotFoundError as error:
        warnings.append(
            f"Calls in turn are not compared, because {error.name} is not installed where asv is; "
            "ratios and ties are those of separate figures."
        )
    figures, derived = [], []
    for cell in cells:
        figure = replace(cell.figure, paired=paired[cell.figure.cell])
        figures.append(figure)
        for reference, found in figure.paired.items():
            ends = found.interval()
            name = f"{figure.question}/{reference}"
            derived.append(_derived(figure, name, ends, "ratio", found.pairs))
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
    value, found = compute_stats(calls, 1)
    ends = (value, *_ends_of(found))
    return _derived(figure, f"{figure.question}_cpu", ends, figure.unit, len(calls))


def _figures(
    result: Any, key: str, unit: str, reasons: dict[tuple[str, ...], Any]
) -> Iterable[tuple[Figure, list[float]]]:
    """Yield the rows of one benchmark, each with its samples."""
    grid = result.get_result_params(key)
    question = key.split(".")[-1].split("_", 1)[1]
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
            result._env_name,
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
    found, broken = records.read(path)
    whole = [record for record in found if _TEXTS.issubset(_texts_of(record))]
    if len(whole) < len(found):
        broken.append(f"{path} has {len(found) - len(whole)} foreign lines, which are left out.")
    return whole, broken


_TEXTS = {"pipeline", "backend", "access", "question", "status", "outcome", "reason"}


def _texts_of(record: dict[str, Any]) -> set[str]:
    return {name for name, value in record.items() if isinstance(value, str)}


def _reason(found: dict[tuple[str, ...], Any], pipeline: str, backend: str, question: str) -> Any:
    """Return the record that explains a cell: the question's own, else that of its artifact."""
    access = "map" if question.startswith("map") else "load"
    own = found.get((pipeline, backend, access, question), {})
    if own and own["status"] != "ok":
        return own
    return found.get((pipeline, backend, access, ""), {})


def _benchmarks(results: Path) -> dict[str, Any]:
    """Return asv's description of the benchmarks as they are now."""
    from asv.benchmarks import Benchmarks
    from asv.util import load_json

    path = Benchmarks.get_benchmark_file_path(str(results))
    if not Path(path).is_file():
        return {}
    found: dict[str, Any] = load_json(path, api_version=Benchmarks.api_version)
    return found


def _facts(sources: list[_Source]) -> tuple[tuple[str, str], ...]:
    """Return what is known of a machine and environment, the newest word on each."""
    sources = sorted(sources, key=lambda source: max(source.times, default=0))
    newest = sources[-1]
    params = newest.result.params
    started = [time for source in sources for time in source.times if time]
    record: dict[str, Any] = next((r for r in reversed(newest.records) if r.get("libraries")), {})
    versions: dict[str, str] = {}
    for source in sources:
        for found in source.records:
            libraries = found.get("libraries")
            versions |= libraries if isinstance(libraries, dict) else {}
    facts = {
        "processor": params.get("cpu") or "",
        "memory": params.get("ram") or "",
        "system": params.get("os") or record.get("os") or "",
        "file system of the artifacts": record.get("file_system") or "",
        "Python": record.get("python") or params.get("python") or "",
        "libraries": ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
        "measured": " to ".join(dict.fromkeys(_day(time) for time in _ends(started))),
        "commit of the suite": ", ".join(
            dict.fromkeys(source.result.commit_hash[:8] for source in sources)
        ),
    }
    return tuple((heading, text) for heading, text in facts.items() if text)


def _requirements(sources: list[_Source]) -> dict[str, str]:
    """Return Python and what asv installed, by name."""
    own = {"arch", "cpu", "machine", "num_cpu", "os", "ram"}
    params = sources[-1].result.params
    return {name: str(value) for name, value in params.items() if name not in own and value}


def _ends(times: list[int]) -> list[int]:
    return [min(times), max(times)] if times else []


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()
